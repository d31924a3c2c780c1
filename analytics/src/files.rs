//! Which files a query reads, and whether they can be read.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::DefaultParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileScanConfig, ParquetFileReaderFactory};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::DataFusionError;
use datafusion::parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use datafusion::parquet::arrow::parquet_to_arrow_schema;
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use schemas::{TABLES, Table, arrow_schema};

use crate::footers::Footers;

/// Footers read at the same time.
const FOOTERS_AT_ONCE: usize = 16;

/// The fault of a file without a single byte.
pub(crate) const EMPTY: &str = "not a readable Parquet file: it is empty";

/// Why a file is not part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It was removed between listing and reading, as compaction does: the rows are in another file by now.
    Gone,
    /// It cannot be read, with the reason.
    Broken(String),
}

/// Every file that a plan would read.
pub(crate) fn of_plan(plan: &Arc<dyn ExecutionPlan>) -> Vec<ObjectMeta> {
    let mut files = Vec::new();
    let mut open = vec![Arc::clone(plan)];
    while let Some(plan) = open.pop() {
        let scan = plan.downcast_ref::<DataSourceExec>();
        if let Some(scan) = scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>()) {
            files.extend(scan.file_groups.iter().flat_map(|group| group.iter()).map(|file| file.object_meta.clone()));
        }
        open.extend(plan.children().into_iter().cloned());
    }
    // A large file may be split among threads.
    files.sort_by(|a, b| a.location.cmp(&b.location));
    files.dedup_by(|a, b| a.location == b.location);
    files
}

/// Reads the footers into the cache the query will use. Answers the files that cannot be read, with the reason.
pub(crate) async fn check_footers(
    footers: &Footers,
    files: &[ObjectMeta],
) -> Result<Vec<(Path, Fault)>, DataFusionError> {
    let read = |file: ObjectMeta| async move { (footers.of(&file).await, file) };
    let mut reads = futures::stream::iter(files.to_vec()).map(read).buffered(FOOTERS_AT_ONCE);
    let mut good: Option<(Path, Arc<ParquetMetaData>)> = None;
    let mut faults = Vec::new();
    while let Some((footer, file)) = reads.next().await {
        let fault = match footer {
            // The files of a table are mostly of one writer, and a comparison is quick.
            Ok(footer) if good.as_ref().is_some_and(|good| alike(good, &file, &footer)) => None,
            Ok(footer) => {
                let fault = schema_fault(&file, &footer);
                if fault.is_none() {
                    good = Some((file.location.clone(), footer));
                }
                fault.map(Fault::Broken)
            }
            Err(error) => Some(fault_of(footers.store(), &file.location, error).await?),
        };
        faults.extend(fault.map(|fault| (file.location, fault)));
    }
    Ok(faults)
}

/// True for a file of the same table and with the same columns as a good one.
fn alike(good: &(Path, Arc<ParquetMetaData>), file: &ObjectMeta, footer: &ParquetMetaData) -> bool {
    let (a, b) = (good.1.file_metadata(), footer.file_metadata());
    good.0.parts().next() == file.location.parts().next()
        && a.schema_descr().root_schema() == b.schema_descr().root_schema()
        && a.key_value_metadata() == b.key_value_metadata()
}

/// Names of the columns of files whose footers can be read.
pub(crate) async fn columns(footers: &Footers, files: &[ObjectMeta]) -> Vec<(String, Vec<String>)> {
    let mut columns = Vec::new();
    for file in files {
        let Ok(metadata) = footers.of(file).await else { continue };
        let held = metadata.file_metadata().schema_descr().root_schema().get_fields().iter();
        columns.push((file.location.to_string(), held.map(|field| field.name().to_owned()).collect()));
    }
    columns
}

/// Decodes files whole, one after the other. Answers those that cannot be decoded, with the reason.
pub(crate) async fn decode(
    store: &Arc<dyn ObjectStore>,
    files: &[ObjectMeta],
) -> Result<Vec<(Path, Fault)>, DataFusionError> {
    let readers = DefaultParquetFileReaderFactory::new(Arc::clone(store));
    let mut faults = Vec::new();
    for file in files {
        let read = async {
            let whole = PartitionedFile::from(file.clone());
            let reader: Box<dyn AsyncFileReader> =
                readers.create_reader(0, whole, None, &ExecutionPlanMetricsSet::new())?;
            let mut batches = ParquetRecordBatchStreamBuilder::new(reader).await?.build()?;
            while batches.try_next().await?.is_some() {}
            Ok::<_, DataFusionError>(())
        };
        if let Err(error) = read.await {
            faults.push((file.location.clone(), fault_of(store, &file.location, error).await?));
        }
    }
    Ok(faults)
}

/// The fault of one file; an error when it is the store that does not answer, which says nothing about the file.
pub(crate) async fn fault_of(
    store: &Arc<dyn ObjectStore>,
    location: &Path,
    error: DataFusionError,
) -> Result<Fault, DataFusionError> {
    use object_store::Error::{Generic, NotFound, PermissionDenied};
    // Readers wrap the store's answer in words of their own, so the store is asked again.
    if let Err(NotFound { .. }) = store.head(location).await {
        return Ok(Fault::Gone);
    }
    match error.find_root() {
        DataFusionError::ObjectStore(cause) => match cause.as_ref() {
            PermissionDenied { .. } => Ok(Fault::Broken("no permission to read it".to_owned())),
            Generic { store: "LocalFileSystem", source } => Ok(Fault::Broken(first_line(&source.to_string()))),
            _ => Err(error),
        },
        DataFusionError::ParquetError(cause) => {
            Ok(Fault::Broken(format!("not a readable Parquet file: {}", first_line(&cause.to_string()))))
        }
        other => Ok(Fault::Broken(format!("not a readable Parquet file: {}", first_line(&other.to_string())))),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// What keeps a readable Parquet file from being part of its table.
fn schema_fault(file: &ObjectMeta, metadata: &ParquetMetaData) -> Option<String> {
    let folder = file.location.parts().next()?;
    let table = TABLES.into_iter().find(|table| table.name == folder.as_ref())?;
    let about = metadata.file_metadata();
    match parquet_to_arrow_schema(about.schema_descr(), about.key_value_metadata()) {
        Err(error) => Some(format!("its schema cannot be read: {}", first_line(&error.to_string()))),
        Ok(found) => column_fault(table, &found),
    }
}

fn column_fault(table: &Table, found: &datafusion::arrow::datatypes::Schema) -> Option<String> {
    for name in [table.id, table.time] {
        if found.field_with_name(name).is_err() {
            return Some(format!("it has no column {name}, so its rows are not rows of {}", table.name));
        }
    }
    arrow_schema(table).fields().iter().find_map(|column| {
        let held = found.field_with_name(column.name()).ok()?.data_type();
        let fits = same_kind(column.data_type(), held);
        (!fits).then(|| format!("its column {} holds {held} instead of {}", column.name(), column.data_type()))
    })
}

/// True when values of one type can be read as the other without a change of meaning.
fn same_kind(column: &DataType, held: &DataType) -> bool {
    match (column, held) {
        (_, DataType::Dictionary(_, values)) => same_kind(column, values),
        (DataType::Utf8, held) => matches!(held, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
        (DataType::Timestamp(..), held) => matches!(held, DataType::Timestamp(..)),
        (DataType::Int64 | DataType::Int32, held) => held.is_signed_integer(),
        (column, held) => column == held,
    }
}
