//! The tables of a lake, ready for SQL.
//!
//! `violations_raw` and its like list the Parquet files; `violations` and its like, which people query, show each row of
//! them once: see [`crate::copies`]. `audit_log` has every row, repeats and all. A condition on `year`, `month` or `day`
//! reaches the listing, so that other partitions are never opened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::MemTable;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::config::TableParquetOptions;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::DataFusionError;
use datafusion::execution::cache::cache_manager::CacheManagerConfig;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{DataFrame, SQLOptions, SessionConfig, SessionContext};
use lake::Lake;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use schemas::{PARTITION_COLUMNS, TABLES, Table, VIEWS, arrow_schema, athena_view, physical_name};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::copies::{EachRowOnce, Faults};
use crate::engine::Engine;
use crate::engine::athena::Cost;
use crate::engine::ballista::Cluster;
use crate::error::AnalyticsError;
use crate::files::{self, Fault};
use crate::footers::Footers;
use crate::month::Month;
use crate::reading::ReadOnly;
use crate::span::Span;
use crate::statement;

/// Name under which the query engine knows the lake, wherever it is.
const STORE: &str = "lake://audit/";

/// Memory for the footers of the files of one run, so that a footer is read once.
const FOOTER_CACHE_BYTES: usize = 256 << 20;

/// Times a query is planned again because of one and the same file that is listed and not there. Then it is left out.
const PLANS: usize = 5;

/// A file that is not part of the answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeftOut {
    /// Path below the root of the lake.
    pub file: String,
    /// Why it cannot be used.
    pub reason: String,
}

/// The answer to one query.
#[derive(Debug)]
pub struct Answer {
    /// Columns of the answer, also when there are no rows.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

/// The tables of one lake. Files that cannot be read are found before the first query that needs them, and left out.
pub struct Tables {
    ctx: SessionContext,
    engine: Engine,
    store: Arc<ReadOnly>,
    footers: Footers,
    checked: BTreeSet<Path>,
    left_out: Vec<LeftOut>,
    /// What was found while copies were looked for.
    faults: Faults,
    /// How often the current query met a file that was removed before it was read.
    gone: BTreeMap<Path, usize>,
}

impl Tables {
    /// The four tables of the lake; one whose folder does not exist is empty.
    pub async fn open(lake: &Lake) -> Result<Tables, AnalyticsError> {
        Tables::open_on(lake, Engine::Local).await
    }

    /// The same, with an engine that answers queries over the lake.
    pub(crate) async fn open_on(lake: &Lake, engine: Engine) -> Result<Tables, AnalyticsError> {
        let store = Arc::new(ReadOnly::new(lake.store(), lake.root().clone()));
        let ctx = SessionContext::new_with_config_rt(session_config(&engine), runtime()?);
        ctx.register_object_store(&store_url()?, Arc::clone(&store) as Arc<dyn ObjectStore>);
        let cache = ctx.runtime_env().cache_manager.get_file_metadata_cache();
        let footers = Footers::new(Arc::clone(&store) as _, cache);
        let faults = Faults::default();
        for table in TABLES {
            ctx.register_table(physical_name(table), Arc::new(listing(table)?))?;
            match numbering_view(table) {
                None => {}
                Some(view) if matches!(engine, Engine::Ballista(_)) => _ = ctx.sql(&view).await?,
                Some(_) => {
                    let once = EachRowOnce::new(table, listing(table)?, footers.clone(), faults.clone());
                    ctx.register_table(table.name, Arc::new(once))?;
                }
            }
        }
        for view in VIEWS {
            ctx.sql(&view.statement()).await?;
        }
        let (checked, left_out, gone) = (BTreeSet::new(), Vec::new(), BTreeMap::new());
        Ok(Tables { ctx, engine, store, footers, checked, left_out, faults, gone })
    }

    /// Answers one statement that reads: SELECT, EXPLAIN, SHOW or DESCRIBE.
    ///
    /// A file of the answer that cannot be read is left out and the query is planned again; each round leaves out at
    /// least one file more, so this ends. When compaction removed a file between listing and reading, its rows are in
    /// another one: the query is planned again, too.
    pub async fn query(&mut self, sql: &str) -> Result<Answer, AnalyticsError> {
        if let Some(answer) = self.ask_athena(sql).await? {
            return Ok(answer);
        }
        self.gone.clear();
        loop {
            let plan = self.plan(sql).await?;
            let files = files::of_plan(&plan);
            if self.check(&files).await? {
                continue;
            }
            match self.carry_out(Arc::clone(&plan), &files).await {
                Ok(batches) => return Ok(Answer { schema: plan.schema(), batches }),
                Err(error) => {
                    if !self.find_unreadable(&files).await? {
                        return Err(match &self.engine {
                            Engine::Ballista(cluster) if !files.is_empty() => cluster.failure(&error),
                            _ => statement::explain_failure(sql, error),
                        });
                    }
                }
            }
        }
    }

    /// Computes a plan on the cluster, when that is the engine and the plan reads the lake, else here.
    async fn carry_out(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        files: &[ObjectMeta],
    ) -> Result<Vec<RecordBatch>, DataFusionError> {
        match &self.engine {
            Engine::Ballista(cluster) if !files.is_empty() => cluster.collect(plan, &self.ctx).await,
            _ => collect(plan, self.ctx.task_ctx()).await,
        }
    }

    /// The answer of Athena, when that is the engine and the query reads the lake.
    async fn ask_athena(&mut self, sql: &str) -> Result<Option<Answer>, AnalyticsError> {
        if !matches!(self.engine, Engine::Athena(_)) {
            return Ok(None);
        }
        let frame = self.frame(sql).await?;
        match &mut self.engine {
            Engine::Athena(athena) if reads_lake(frame.logical_plan())? => {
                let batch = athena.answer(sql, frame.schema().as_arrow()).await?;
                Ok(Some(Answer { schema: batch.schema(), batches: vec![batch] }))
            }
            _ => Ok(None),
        }
    }

    /// What the queries so far cost, when the engine is one that charges.
    pub(crate) fn cost(&self) -> Option<Cost> {
        match &self.engine {
            Engine::Athena(athena) => Some(athena.cost()),
            _ => None,
        }
    }

    /// The rows of a query as values. The columns are the fields.
    pub(crate) async fn rows<T: DeserializeOwned>(&mut self, sql: &str) -> Result<Vec<T>, AnalyticsError> {
        let answer = self.query(sql).await?;
        let mut writer = arrow::json::ArrayWriter::new(Vec::new());
        writer.write_batches(&answer.batches.iter().collect::<Vec<_>>())?;
        writer.finish()?;
        let json = writer.into_inner();
        if json.is_empty() { Ok(Vec::new()) } else { Ok(serde_json::from_slice(&json)?) }
    }

    /// Makes answers a table of their own, in place of one of that name.
    pub(crate) fn keep(&self, name: &str, answers: Vec<Answer>) -> Result<(), AnalyticsError> {
        let Some(first) = answers.first() else { return Ok(()) };
        let schema = Arc::clone(&first.schema);
        let parts = answers.into_iter().map(|answer| answer.batches).collect();
        self.ctx.deregister_table(name)?;
        self.ctx.register_table(name, Arc::new(MemTable::try_new(schema, parts)?))?;
        Ok(())
    }

    /// Decodes every file that a query would read, so that those that cannot be read are left out. Answers the columns
    /// of the others.
    pub(crate) async fn verify(&mut self, sql: &str) -> Result<Vec<(String, Vec<String>)>, AnalyticsError> {
        self.gone.clear();
        loop {
            let files = files::of_plan(&self.plan(sql).await?);
            if self.check(&files).await? || self.find_unreadable(&files).await? {
                continue;
            }
            return Ok(files::columns(&self.footers, &files).await);
        }
    }

    /// The months for which the lake has a folder of this table, oldest first.
    pub(crate) async fn months(&self, table: &Table) -> Result<Vec<Month>, AnalyticsError> {
        let mut months = BTreeSet::new();
        for year in self.folders(&Path::from(table.name)).await? {
            for month in self.folders(&year).await? {
                let value = |path: &Path, key: &str| Some(path.filename()?.strip_prefix(key)?.to_owned());
                let named = value(&year, "year=").zip(value(&month, "month="));
                months.extend(named.and_then(|(year, month)| format!("{year}-{month}").parse::<Month>().ok()));
            }
        }
        Ok(months.into_iter().collect())
    }

    /// The days of a period for which the lake has a folder of this table, oldest first.
    pub(crate) async fn days(&self, table: &Table, span: Span) -> Result<BTreeSet<NaiveDate>, AnalyticsError> {
        let asked = span.first_day()..=span.last_day();
        let mut days = BTreeSet::new();
        for month in self.months(table).await? {
            if month.last() < *asked.start() || month.first() > *asked.end() {
                continue;
            }
            let folder = month.first().format("year=%Y/month=%m");
            for day in self.folders(&Path::from(format!("{}/{folder}", table.name))).await? {
                let day = day.filename().and_then(|name| name.strip_prefix("day="));
                days.extend(day.and_then(|day| format!("{month}-{day}").parse::<NaiveDate>().ok()));
            }
        }
        days.retain(|day| asked.contains(day));
        Ok(days)
    }

    /// Files left out so far, by path.
    pub fn left_out(&self) -> Vec<LeftOut> {
        let mut left_out = self.left_out.clone();
        left_out.sort();
        left_out
    }

    /// Paths below the root of the lake of the files of which anything was read so far.
    pub fn opened(&self) -> Vec<String> {
        self.store.opened().iter().map(Path::to_string).collect()
    }

    async fn folders(&self, under: &Path) -> Result<Vec<Path>, AnalyticsError> {
        let listed =
            self.store.list_with_delimiter(Some(under)).await.map_err(|error| AnalyticsError::from_store(&error))?;
        Ok(listed.common_prefixes)
    }

    async fn frame(&self, sql: &str) -> Result<DataFrame, AnalyticsError> {
        let only_reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        self.ctx.sql_with_options(sql, only_reading).await.map_err(|e| statement::explain(sql, e))
    }

    async fn plan(&self, sql: &str) -> Result<Arc<dyn ExecutionPlan>, AnalyticsError> {
        let frame = self.frame(sql).await?;
        frame.create_physical_plan().await.map_err(|e| statement::explain(sql, e))
    }

    /// Reads the footers of files not seen before. True when the query has to be planned again.
    async fn check(&mut self, files: &[ObjectMeta]) -> Result<bool, AnalyticsError> {
        let new: Vec<_> = files.iter().filter(|file| !self.checked.contains(&file.location)).cloned().collect();
        let mut faults = files::check_footers(&self.footers, &new).await?;
        let empty = self.store.take_empty().into_iter().map(|path| (path, Fault::Broken(files::EMPTY.to_owned())));
        faults.extend(empty);
        for (path, fault) in self.faults.take() {
            if faults.iter().all(|(known, _)| *known != path) {
                faults.push((path, fault));
            }
        }
        self.checked.extend(new.into_iter().map(|file| file.location));
        Ok(self.settle(faults))
    }

    /// Decodes every file of a failed query. True when the query has to be planned again.
    async fn find_unreadable(&mut self, files: &[ObjectMeta]) -> Result<bool, AnalyticsError> {
        let store: Arc<dyn ObjectStore> = Arc::clone(&self.store) as _;
        let faults = files::decode(&store, files).await?;
        Ok(self.settle(faults))
    }

    /// Leaves out what is broken. True when the query has to be planned again.
    fn settle(&mut self, faults: Vec<(Path, Fault)>) -> bool {
        let any = !faults.is_empty();
        for (path, fault) in faults {
            let reason = match fault {
                Fault::Gone => {
                    let times = self.gone.entry(path.clone()).or_default();
                    *times += 1;
                    if *times < PLANS {
                        self.checked.remove(&path);
                        continue;
                    }
                    "it is listed and not there".to_owned()
                }
                Fault::Broken(reason) => reason,
            };
            tracing::warn!(file = %path, reason, "file left out");
            self.left_out.push(LeftOut { file: path.to_string(), reason });
            self.store.leave_out(path);
        }
        any
    }
}

/// The view of Athena, for an engine that gets plans from here and computes them elsewhere, where nothing is known of the
/// copies found here. Athena knows the object of a row as "$path"; there is no such column here: copies of a row that are
/// alike in all that comes before it are copies of one delivery.
fn numbering_view(table: &Table) -> Option<String> {
    athena_view(table).map(|view| view.replace(", \"$path\"", ""))
}

fn store_url() -> Result<Url, AnalyticsError> {
    Url::parse(STORE).map_err(|error| AnalyticsError::Query(Box::new(error_of(error))))
}

fn error_of(error: url::ParseError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// True when a query reads a table of the lake, and not only tables that were kept.
fn reads_lake(plan: &LogicalPlan) -> Result<bool, AnalyticsError> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let name = scan.table_name.table();
            found |= TABLES.into_iter().any(|table| name == table.name || name == physical_name(table));
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

fn session_config(engine: &Engine) -> SessionConfig {
    let config = SessionConfig::new()
        .with_information_schema(true)
        // Statistics would be read from files before they are checked.
        .with_collect_statistics(false)
        .set_bool("datafusion.sql_parser.collect_spans", true);
    match engine {
        Engine::Ballista(_) => Cluster::settings(config),
        _ => config,
    }
}

fn runtime() -> Result<Arc<RuntimeEnv>, AnalyticsError> {
    let mut cache = CacheManagerConfig::default().with_metadata_cache_limit(FOOTER_CACHE_BYTES);
    // A cached listing lists the whole table, even when a query asks for one month of many years.
    cache.list_files_cache_limit = 0;
    Ok(RuntimeEnvBuilder::new().with_cache_manager(cache).build_arc()?)
}

/// The files of a table. Columns are taken by name, and any may be missing in an old file, whose rows then hold null.
fn listing(table: &Table) -> Result<ListingTable, AnalyticsError> {
    let nullable = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
    let schema = Schema::new(arrow_schema(table).fields().iter().map(nullable).collect::<Vec<_>>());
    let partitions = PARTITION_COLUMNS.iter().map(|name| ((*name).to_owned(), DataType::Utf8)).collect();
    let mut reading = TableParquetOptions::default();
    // See `footers`: without it no scan reads the page indexes either.
    reading.global.enable_page_index = false;
    let options = ListingOptions::new(Arc::new(ParquetFormat::default().with_options(reading)))
        .with_file_extension(".parquet")
        .with_table_partition_cols(partitions);
    let url = ListingTableUrl::parse(format!("{STORE}{}/", table.name))?;
    let config = ListingTableConfig::new(url).with_listing_options(options).with_schema(Arc::new(schema));
    Ok(ListingTable::try_new(config)?)
}
