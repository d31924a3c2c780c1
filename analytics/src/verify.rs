//! `analytics verify`: the books of the lake. Looks at every file and changes none.

use chrono::{Days, NaiveDate};
use futures::TryStreamExt;
use lake::Lake;
use object_store::ObjectStore;
use schemas::{AUDIT_LOG, TABLES, Table, VIOLATIONS, athena_view, physical_name};
use serde::{Deserialize, Serialize};

use crate::error::AnalyticsError;
use crate::queries::fill;
use crate::span::Span;
use crate::tables::Tables;

/// Days around a period in which the row of the other table may be: the bus and Firehose may be late.
const AROUND: Days = Days::new(7);
/// Files named one by one in a finding of each kind; of more, the number is told.
const NAMED: usize = 20;

/// What was looked at and what was found. Serialized, this is the JSON answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// The lake as the caller named it.
    pub lake: String,
    /// The days looked at; absent for the whole lake.
    pub period: Option<String>,
    /// Every table.
    pub tables: Vec<TableBooks>,
    /// False when there is no audit log to compare with.
    pub compared_with_audit_log: bool,
    /// What was found, faults and notes.
    pub findings: Vec<Finding>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableBooks {
    /// Its name.
    pub table: &'static str,
    /// Parquet files in partitions.
    pub files: usize,
    /// Their size in bytes.
    pub bytes: u64,
    /// Their rows, repeats included.
    pub rows: i64,
    /// Rows that are repeats of another one of their partition.
    pub repeats: i64,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// The books do not balance: answers are wrong or incomplete.
    Fault,
    /// Worth knowing; answers are right.
    Note,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How grave.
    pub grade: Grade,
    /// What was looked for.
    pub check: Check,
    /// Table.
    pub table: &'static str,
    /// File, partition or shard.
    pub place: String,
    /// How many rows, files, or hours of silence.
    pub count: i64,
    /// The reason, or an id to begin with.
    pub detail: String,
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Files that no query finds.
    OutsidePartition,
    /// Files that cannot be read.
    Unreadable,
    /// Files with columns that the table does not have.
    UnknownColumn,
    /// Files without columns of today: older ones.
    MissingColumn,
    /// Rows in the folder of another day.
    WrongPartition,
    /// Ids that are in several partitions.
    SeveralPartitions,
    /// Repeats within a partition, which the views drop and `compact` merges away.
    Repeats,
    /// Violations that the audit log does not know.
    NotOnBus,
    /// Violations of the audit log that the lake does not have.
    NotInLake,
    /// Shards from which nothing came for a day or longer.
    Silence,
}

#[derive(Deserialize)]
struct Place {
    #[serde(default)]
    place: String,
    found: i64,
    #[serde(default)]
    example: String,
}

#[derive(Deserialize)]
struct Rows {
    row_count: i64,
    repeats: i64,
}

impl Books {
    /// True when no fault was found.
    pub fn balance(&self) -> bool {
        self.findings.iter().all(|finding| finding.grade != Grade::Fault)
    }

    /// Looks at every file of the lake, or of a period. `step` is called after every table.
    pub async fn check(lake: &Lake, span: Option<Span>, step: &mut dyn FnMut()) -> Result<Books, AnalyticsError> {
        let mut tables = Tables::open(lake).await?;
        let mut auditor = Auditor { tables: &mut tables, span, findings: Vec::new() };
        let mut books = Books { lake: lake.location().to_owned(), period: span.map(Span::label), ..Books::default() };
        for table in TABLES {
            books.tables.push(auditor.table(lake, table).await?);
            step();
        }
        books.compared_with_audit_log =
            books.tables.iter().any(|table| table.table == AUDIT_LOG.name && table.rows > 0);
        if books.compared_with_audit_log {
            let bus = include_str!("queries/verify/not_on_bus.sql");
            auditor.places(Grade::Fault, Check::NotOnBus, &VIOLATIONS, bus).await?;
            let lake = include_str!("queries/verify/not_in_lake.sql");
            auditor.places(Grade::Fault, Check::NotInLake, &AUDIT_LOG, lake).await?;
        }
        let silence = include_str!("queries/verify/silence.sql");
        auditor.places(Grade::Note, Check::Silence, &VIOLATIONS, silence).await?;
        step();
        books.findings = auditor.findings;
        books.findings.sort_by_key(|finding| finding.grade);
        Ok(books)
    }
}

/// Steps of a check, for a progress bar.
pub const VERIFY_STEPS: u64 = TABLES.len() as u64 + 1;

struct Auditor<'a> {
    tables: &'a mut Tables,
    span: Option<Span>,
    findings: Vec<Finding>,
}

impl Auditor<'_> {
    async fn table(&mut self, lake: &Lake, table: &'static Table) -> Result<TableBooks, AnalyticsError> {
        let (files, bytes) = self.folders(lake, table).await?;
        let columns =
            self.tables.verify(&format!("SELECT * FROM {} WHERE {}", physical_name(table), self.days())).await?;
        let left_out = self.tables.left_out();
        for left_out in left_out.iter().filter(|left_out| left_out.file.starts_with(&format!("{}/", table.name))) {
            self.find(Grade::Fault, Check::Unreadable, table, (&left_out.file, 1, &left_out.reason));
        }
        self.drift(table, &columns);
        let rows: Vec<Rows> = self.rows(table, include_str!("queries/verify/rows.sql")).await?;
        let rows = rows.into_iter().next().unwrap_or(Rows { row_count: 0, repeats: 0 });
        self.places(Grade::Fault, Check::WrongPartition, table, include_str!("queries/verify/wrong_partition.sql"))
            .await?;
        // The audit log has every delivery, so that its repeats are no fault and mean nothing.
        if athena_view(table).is_some() {
            let several = include_str!("queries/verify/several_days.sql");
            self.places(Grade::Fault, Check::SeveralPartitions, table, several).await?;
            if rows.repeats > 0 {
                let advice = "the views drop them, and `analytics compact` merges them away";
                self.find(Grade::Note, Check::Repeats, table, ("", rows.repeats, advice));
            }
        }
        Ok(TableBooks { table: table.name, files, bytes, rows: rows.row_count, repeats: rows.repeats })
    }

    /// Counts the files in partitions of the period, and finds those that are in none.
    async fn folders(&mut self, lake: &Lake, table: &'static Table) -> Result<(usize, u64), AnalyticsError> {
        let store = lake.store();
        let folder = lake.path(table.name);
        let depth = lake.root().parts().count();
        let mut listing = store.list(Some(&folder));
        let (mut files, mut bytes, mut outside) = (0, 0, 0);
        while let Some(file) = listing.try_next().await.map_err(|error| AnalyticsError::from_store(&error))? {
            let parts: Vec<String> = file.location.parts().skip(depth).map(|part| part.as_ref().to_owned()).collect();
            match day_of(&parts) {
                Some(day) if self.span.is_none_or(|span| (span.first_day()..=span.last_day()).contains(&day)) => {
                    files += 1;
                    bytes += file.size;
                }
                Some(_) => {}
                None => {
                    outside += 1;
                    if outside <= NAMED {
                        let reason = "it is no Parquet file in a folder year=…/month=…/day=…, so no query finds it";
                        self.find(Grade::Fault, Check::OutsidePartition, table, (&parts.join("/"), 1, reason));
                    }
                }
            }
        }
        if outside > NAMED {
            let more = (outside - NAMED) as i64;
            self.find(Grade::Fault, Check::OutsidePartition, table, ("", more, "more files in no partition"));
        }
        Ok((files, bytes))
    }

    /// Compares the columns of files with those of the table.
    fn drift(&mut self, table: &'static Table, columns: &[(String, Vec<String>)]) {
        let known: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        let mut older = 0;
        for (file, held) in columns {
            let unknown: Vec<&str> = held.iter().map(String::as_str).filter(|name| !known.contains(name)).collect();
            if !unknown.is_empty() {
                self.find(Grade::Fault, Check::UnknownColumn, table, (file, unknown.len() as i64, &unknown.join(", ")));
            }
            older += i64::from(known.iter().any(|name| !held.iter().any(|held| held == name)));
        }
        if older > 0 {
            let detail = "files without every column of today, as older programs wrote them: these columns are null";
            self.find(Grade::Note, Check::MissingColumn, table, ("", older, detail));
        }
    }

    async fn places(
        &mut self,
        grade: Grade,
        check: Check,
        table: &'static Table,
        sql: &str,
    ) -> Result<(), AnalyticsError> {
        for Place { place, found, example } in self.rows::<Place>(table, sql).await? {
            self.find(grade, check, table, (&place, found, &example));
        }
        Ok(())
    }

    async fn rows<T: serde::de::DeserializeOwned>(
        &mut self,
        table: &Table,
        sql: &str,
    ) -> Result<Vec<T>, AnalyticsError> {
        let sql = fill(sql, |name| match name {
            "days" => self.days(),
            "around" => self.around(),
            "raw" => physical_name(table),
            "id" => table.key().collect::<Vec<_>>().join(" || ' ' || "),
            _ => format!("\"{}\"", table.time),
        });
        self.tables.rows(&sql).await
    }

    fn days(&self) -> String {
        self.span.map_or_else(|| "1 = 1".to_owned(), Span::condition)
    }

    fn around(&self) -> String {
        let wider = |span: Span| {
            Span::days(span.first_day().checked_sub_days(AROUND)?, span.last_day().checked_add_days(AROUND)?).ok()
        };
        self.span.and_then(wider).map_or_else(|| "1 = 1".to_owned(), Span::condition)
    }

    fn find(&mut self, grade: Grade, check: Check, table: &'static Table, (place, count, detail): (&str, i64, &str)) {
        let (place, detail) = (place.to_owned(), detail.to_owned());
        self.findings.push(Finding { grade, check, table: table.name, place, count, detail });
    }
}

/// The day of a Parquet file in a partition.
fn day_of(parts: &[String]) -> Option<NaiveDate> {
    let [_, year, month, day, file] = parts else { return None };
    let value = |part: &str, key: &str, digits: usize| {
        part.strip_prefix(key).filter(|value| value.len() == digits).and_then(|value| value.parse::<u32>().ok())
    };
    let year = i32::try_from(value(year, "year=", 4)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, value(month, "month=", 2)?, value(day, "day=", 2)?);
    date.filter(|_| file.ends_with(".parquet"))
}
