//! The tables that show each row once, for queries that this program computes itself.
//!
//! The views of Athena number the copies of every row and show the first. Numbering costs more than all the rest of a
//! query: every row is hashed, sent to another thread and sorted, for the few rows that are there twice. Here the copies
//! are found first, a day at a time, and the scan skips them, so that a query costs what it would cost without:
//!
//! 1. Of the files of a day the columns of the key are read, and nothing else. A row whose hash no other has is no copy.
//! 2. Of the few others the columns that decide which copy is shown are read too, and values are compared, not hashes.
//!
//! What was found of a day is kept as long as its files are the same.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{exec_datafusion_err, internal_err};
use datafusion::datasource::listing::{ListingTable, PartitionedFile};
use datafusion::datasource::physical_plan::parquet::{DefaultParquetFileReaderFactory, ParquetRowSelection};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, ParquetFileReaderFactory};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection, RowSelector};
use datafusion::parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectMeta;
use object_store::path::Path;
use schemas::{Table, arrow_schema};

use crate::files::{self, Fault};
use crate::footers::Footers;

/// Rows decoded at once.
const BATCH_ROWS: usize = 8_192;

/// A table of the lake without the copies of its rows: of the rows of a day that have the same key it has the first by
/// `first_copy`, nulls last, then by the path of the file and the place in it.
#[derive(Debug)]
pub(crate) struct EachRowOnce {
    files: ListingTable,
    reader: Reader,
    days: Mutex<BTreeMap<String, Arc<Day>>>,
    faults: Faults,
}

/// Files that could not be read while copies were looked for, shared with who asks for them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Vec<(Path, Fault)>>>);

impl Faults {
    /// What was found since the last call. A scan that was made meanwhile must not be carried out.
    pub(crate) fn take(&self) -> Vec<(Path, Fault)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, faults: Vec<(Path, Fault)>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(faults);
    }
}

/// The files of a day, and of each that has copies the rows to read.
#[derive(Debug)]
struct Day {
    files: Vec<ObjectMeta>,
    shown: BTreeMap<Path, RowSelection>,
}

impl EachRowOnce {
    /// The table over its files. Footers come from the cache of the queries.
    pub(crate) fn new(table: &'static Table, files: ListingTable, footers: Footers, faults: Faults) -> EachRowOnce {
        EachRowOnce { files, reader: Reader { table, footers }, days: Mutex::default(), faults }
    }

    /// Each of the days, known or looked at now, some at the same time.
    async fn days(&self, files: &[FileGroup], at_once: usize) -> Result<Vec<Arc<Day>>> {
        let mut folders: BTreeMap<String, Vec<ObjectMeta>> = BTreeMap::new();
        for file in files.iter().flat_map(FileGroup::iter) {
            let folder = file.object_meta.location.as_ref().rsplit_once('/').map_or("", |(folder, _)| folder);
            folders.entry(folder.to_owned()).or_default().push(file.object_meta.clone());
        }
        let looked_at = folders.into_iter().map(|(folder, mut files)| async move {
            files.sort_by(|a, b| a.location.cmp(&b.location));
            if let Some(day) = self.known(&folder).filter(|day| day.files == files) {
                return Ok(day);
            }
            let reader = self.reader.clone();
            let task = SpawnedTask::spawn(async move { reader.day(files).await });
            let (day, faults) = task.join().await.map_err(|error| exec_datafusion_err!("{error}"))??;
            let day = Arc::new(day);
            if faults.is_empty() {
                self.days.lock().unwrap_or_else(PoisonError::into_inner).insert(folder, Arc::clone(&day));
            }
            self.faults.add(faults);
            Ok(day)
        });
        futures::stream::iter(looked_at).buffered(at_once).try_collect().await
    }

    fn known(&self, folder: &str) -> Option<Arc<Day>> {
        self.days.lock().unwrap_or_else(PoisonError::into_inner).get(folder).cloned()
    }
}

#[async_trait::async_trait]
impl TableProvider for EachRowOnce {
    fn schema(&self) -> SchemaRef {
        self.files.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        self.files.supports_filters_pushdown(filters)
    }

    /// Filters reach the files as they do without copies: which rows are shown does not depend on them.
    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // A limit could end the list of files within a day, so the node above alone applies it.
        let plan = self.files.scan(state, projection, filters, None).await?;
        if plan.is::<EmptyExec>() {
            return Ok(plan);
        }
        let scan = plan.downcast_ref::<DataSourceExec>();
        let Some(config) = scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>()) else {
            return internal_err!("files are read by {}", plan.name());
        };
        let days = self.days(&config.file_groups, state.config().target_partitions()).await?;
        let shown: BTreeMap<&Path, &RowSelection> = days.iter().flat_map(|day| &day.shown).collect();
        let without_copies = |file: &PartitionedFile| match shown.get(&file.object_meta.location) {
            Some(rows) => file.clone().with_extension(ParquetRowSelection::new((*rows).clone())),
            None => file.clone(),
        };
        let mut config = config.clone();
        for group in &mut config.file_groups {
            *group = FileGroup::new(group.iter().map(without_copies).collect());
        }
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Reads what it takes to find copies.
#[derive(Debug, Clone)]
struct Reader {
    table: &'static Table,
    footers: Footers,
}

/// A row that may have copies, in the order in which they are shown.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    key: Box<[u8]>,
    order: Box<[u8]>,
    file: usize,
    row: usize,
}

impl Reader {
    /// What is shown of a day, and the files that cannot be read, which are not looked at.
    async fn day(&self, files: Vec<ObjectMeta>) -> Result<(Day, Vec<(Path, Fault)>)> {
        let store = self.footers.store();
        let mut faults = files::check_footers(&self.footers, &files).await?;
        let mut hashes: Vec<Vec<u64>> = Vec::with_capacity(files.len());
        for file in &files {
            // The query engine skips an empty file; it is named elsewhere.
            let readable = file.size > 0 && faults.iter().all(|(path, _)| *path != file.location);
            let found = if readable { self.hashes(file).await } else { Ok(Vec::new()) };
            match found {
                Ok(found) => hashes.push(found),
                Err(error) => {
                    faults.push((file.location.clone(), files::fault_of(store, &file.location, error).await?));
                    hashes.push(Vec::new());
                }
            }
        }
        let repeated = repeated(&hashes);
        let mut candidates = Vec::new();
        for (place, (file, hashes)) in files.iter().zip(&hashes).enumerate() {
            let rows: Vec<usize> = places(hashes, &repeated).collect();
            if rows.is_empty() {
                continue;
            }
            match self.candidates(file, place, &rows, hashes.len()).await {
                Ok(found) => candidates.extend(found),
                Err(error) => {
                    faults.push((file.location.clone(), files::fault_of(store, &file.location, error).await?));
                }
            }
        }
        let mut copies = copies(candidates);
        let shown = files.iter().zip(&hashes).enumerate().filter_map(|(place, (file, hashes))| {
            let copies = copies.remove(&place)?;
            Some((file.location.clone(), all_but(&copies, hashes.len())))
        });
        let shown = shown.collect();
        Ok((Day { files, shown }, faults))
    }

    /// The hash of the key of every row.
    async fn hashes(&self, file: &ObjectMeta) -> Result<Vec<u64>> {
        let key: Vec<&str> = self.table.key().collect();
        let mut hashes = Vec::new();
        for batch in self.read(file, &key, None).await? {
            let begin = hashes.len();
            hashes.resize(begin + batch.num_rows(), 0);
            let Some(room) = hashes.get_mut(begin..) else { continue };
            create_hashes(batch.columns(), &RandomState::default(), room)?;
        }
        Ok(hashes)
    }

    /// These rows of a file, which is the one at `place` and has so many.
    async fn candidates(&self, file: &ObjectMeta, place: usize, rows: &[usize], of: usize) -> Result<Vec<Candidate>> {
        let key: Vec<&str> = self.table.key().collect();
        let names: Vec<&str> = key.iter().copied().chain(self.table.first_copy.iter().copied()).collect();
        let mut rows_left = rows.iter();
        let mut found = Vec::with_capacity(rows.len());
        for batch in self.read(file, &names, Some(only(rows, of))).await? {
            let (keys, _) = batch.columns().split_at(key.len());
            let (keys, orders) = (comparable(keys)?, comparable(batch.columns())?);
            for ((key, order), row) in keys.into_iter().zip(orders).zip(rows_left.by_ref()) {
                found.push(Candidate { key, order, file: place, row: *row });
            }
        }
        Ok(found)
    }

    /// Columns of a file as the table has them, in the order asked for: what an old file does not have is null.
    async fn read(&self, file: &ObjectMeta, names: &[&str], rows: Option<RowSelection>) -> Result<Vec<RecordBatch>> {
        let footer = ArrowReaderMetadata::try_new(self.footers.of(file).await?, ArrowReaderOptions::default())?;
        let readers = DefaultParquetFileReaderFactory::new(Arc::clone(self.footers.store()));
        let whole = PartitionedFile::from(file.clone());
        let reader: Box<dyn AsyncFileReader> =
            readers.create_reader(0, whole, None, &ExecutionPlanMetricsSet::new())?;
        let mut builder =
            ParquetRecordBatchStreamBuilder::new_with_metadata(reader, footer).with_batch_size(BATCH_ROWS);
        let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().copied());
        builder = builder.with_projection(mask);
        if let Some(rows) = rows {
            builder = builder.with_row_selection(rows);
        }
        let mut held = builder.build()?;
        let mut batches = Vec::new();
        while let Some(batch) = held.try_next().await? {
            batches.push(self.in_columns(&batch, names)?);
        }
        Ok(batches)
    }

    fn in_columns(&self, batch: &RecordBatch, names: &[&str]) -> Result<RecordBatch> {
        let wanted = arrow_schema(self.table);
        let column = |name: &&str| -> Result<(String, ArrayRef)> {
            let wanted = wanted.field_with_name(name)?.data_type();
            let values = match batch.column_by_name(name) {
                Some(held) if held.data_type() == wanted => Arc::clone(held),
                Some(held) => cast(held, wanted)?,
                None => new_null_array(wanted, batch.num_rows()),
            };
            Ok(((*name).to_owned(), values))
        };
        let columns = names.iter().map(column).collect::<Result<Vec<_>>>()?;
        Ok(RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, values)| (name, values, true)))?)
    }
}

/// Rows as bytes that compare as the rows do, nulls last.
fn comparable(columns: &[ArrayRef]) -> Result<Vec<Box<[u8]>>> {
    let last = SortOptions { descending: false, nulls_first: false };
    let field = |column: &ArrayRef| SortField::new_with_options(column.data_type().clone(), last);
    let rows = RowConverter::new(columns.iter().map(field).collect())?.convert_columns(columns)?;
    Ok(rows.iter().map(|row| Box::from(row.as_ref())).collect())
}

/// The hashes that are there more than once, sorted.
fn repeated(hashes: &[Vec<u64>]) -> Vec<u64> {
    let mut all: Vec<u64> = hashes.concat();
    all.sort_unstable();
    let mut repeated: Vec<u64> =
        all.windows(2).filter_map(|pair| pair.first().filter(|hash| pair.last() == Some(hash)).copied()).collect();
    repeated.dedup();
    repeated
}

/// Where a file has one of these hashes.
fn places<'a>(hashes: &'a [u64], repeated: &'a [u64]) -> impl Iterator<Item = usize> + 'a {
    let is_repeated = |(_, hash): &(usize, &u64)| repeated.binary_search(hash).is_ok();
    hashes.iter().enumerate().filter(is_repeated).map(|(row, _)| row)
}

/// Of each file the rows that are not the first of their key, in order.
fn copies(mut candidates: Vec<Candidate>) -> BTreeMap<usize, Vec<usize>> {
    candidates.sort_unstable();
    let mut copies: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for pair in candidates.windows(2) {
        if let [before, next] = pair
            && before.key == next.key
        {
            copies.entry(next.file).or_default().push(next.row);
        }
    }
    copies.values_mut().for_each(|rows| rows.sort_unstable());
    copies
}

/// A selection of these rows, given in order, of a file of so many.
fn only(rows: &[usize], of: usize) -> RowSelection {
    RowSelection::from_consecutive_ranges(rows.iter().map(|row| *row..row + 1), of)
}

/// A selection of all rows but these, given in order.
fn all_but(rows: &[usize], of: usize) -> RowSelection {
    let begins = std::iter::once(0).chain(rows.iter().map(|row| row + 1));
    let ends = rows.iter().copied().chain([of]);
    let between: Vec<Range<usize>> = begins.zip(ends).map(|(begin, end)| begin..end).collect();
    match between.iter().all(Range::is_empty) {
        true => RowSelection::from(vec![RowSelector::skip(of)]),
        false => RowSelection::from_consecutive_ranges(between.into_iter(), of),
    }
}
