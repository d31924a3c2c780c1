//! `analytics capacity`: what a stream of so many events needs and costs, from measured rates, with every formula shown.

mod prices;
mod rates;

use serde::Serialize;

use crate::render::digits::{grouped, short};
use prices::{PRICES_OF, Price, REGION};

/// Seconds of a day, and hours of a month of 365 / 12 days.
const DAY: f64 = 86_400.0;
const MONTH_HOURS: f64 = 730.0;
const MONTH: f64 = MONTH_HOURS * 3_600.0;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, clap::Args)]
pub struct Load {
    /// CloudTrail events a second, all accounts together, in the busiest hour
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub events_per_second: u32,
    /// Accounts
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub accounts: u32,
    /// Mean bytes of an event as JSON
    #[arg(long, value_name = "BYTES", default_value_t = rates::EVENT_BYTES, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub event_bytes: u32,
    /// Percent of events that a rule names
    #[arg(long, value_name = "PERCENT", default_value_t = rates::JUDGED_PERCENT, value_parser = percent)]
    pub judged: f64,
    /// Percent of events that are a violation
    #[arg(long, value_name = "PERCENT", default_value_t = rates::VIOLATION_PERCENT, value_parser = percent)]
    pub violations: f64,
    /// Months that the lake keeps
    #[arg(long, value_name = "MONTHS", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=1_200))]
    pub keep_months: u32,
}

fn percent(text: &str) -> Result<f64, String> {
    let percent = text.parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| format!("`{text}` is no percentage: write a number from 0 to 100"))
}

/// The answer. Serialized, this is the JSON answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Capacity {
    /// What was asked.
    pub load: Load,
    /// What it needs, each with its formula.
    pub needs: Vec<Need>,
    /// What it costs in a month.
    pub costs: Vec<Cost>,
    /// All of it, US dollars.
    pub usd_a_month: f64,
    /// Month and place of the prices.
    pub prices: String,
    /// What is in no number.
    pub not_counted: &'static str,
}

/// One number that is needed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Need {
    /// What.
    pub name: &'static str,
    /// How much, two decimals.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// How it comes about.
    pub formula: String,
}

/// One line of the bill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// The service.
    pub service: &'static str,
    /// Units in a month.
    pub quantity: f64,
    /// The unit.
    pub unit: &'static str,
    /// US dollars for a unit.
    pub usd_each: f64,
    /// US dollars a month, two decimals.
    pub usd_a_month: f64,
    /// The page with the price.
    pub source: &'static str,
}

const NOT_COUNTED: &str = "KMS requests, data transfer, CloudTrail itself, the programs behind the queues, Athena, alarms and \
                           dashboards, support, taxes";

impl Capacity {
    /// Works it out.
    pub fn of(load: Load) -> Capacity {
        let sizes = Sizes::of(&load);
        let costs = sizes.costs(&load);
        let usd_a_month = cents(costs.iter().map(|cost| cost.usd_a_month).sum());
        let prices = format!("list prices of {PRICES_OF}, {REGION}");
        Capacity { load, needs: sizes.needs(&load), costs, usd_a_month, prices, not_counted: NOT_COUNTED }
    }
}

struct Sizes {
    events: f64,
    megabytes: f64,
    shards: f64,
    batches: f64,
    /// Seconds of Lambda in a second.
    busy: f64,
    judged: f64,
    violations: f64,
    files_a_day: f64,
    gigabytes_a_month: f64,
}

impl Sizes {
    fn of(load: &Load) -> Sizes {
        let events = f64::from(load.events_per_second);
        let megabytes = events * f64::from(load.event_bytes) / 1e6;
        let by_quota = (events / rates::SHARD_RECORDS).max(megabytes / rates::SHARD_MEGABYTES) / rates::USED;
        let work = events * rates::CORE_SECONDS_PER_EVENT / rates::CORE_SHARE;
        let full = events / rates::BATCH_RECORDS;
        let shards = by_quota.ceil().max(1.0);
        let by_window = shards * rates::BATCHES_PER_SHARD / rates::WINDOW_SECONDS;
        let batches = full.max(by_window).min(events);
        let busy = work + batches * rates::WAIT_SECONDS_PER_BATCH;
        let judged = events * load.judged / 100.0;
        let violations = events * load.violations / 100.0;
        Sizes {
            events,
            megabytes,
            shards,
            batches,
            busy,
            judged,
            violations,
            files_a_day: (batches.min(judged) + batches.min(violations)) * DAY,
            gigabytes_a_month: (judged * rates::STORED_EVENT_BYTES + violations * rates::VIOLATION_BYTES) * MONTH / 1e9,
        }
    }

    fn needs(&self, load: &Load) -> Vec<Need> {
        [self.needs_of_stream(load), self.needs_of_lake(load)].concat()
    }

    fn needs_of_stream(&self, load: &Load) -> Vec<Need> {
        let (events, shards, batches) = (short(self.events), short(self.shards), short(self.batches));
        let micros = short(rates::CORE_SECONDS_PER_EVENT * 1e6);
        vec![
            need("Stream", self.megabytes, "MB/s", format!("{events} events/s x {} bytes", load.event_bytes)),
            need(
                "Shards",
                self.shards,
                "",
                format!(
                    "max({events} / {} records/s, {} MB/s / {} MB/s) / {} used, rounded up",
                    rates::SHARD_RECORDS,
                    short(self.megabytes),
                    rates::SHARD_MEGABYTES,
                    rates::USED
                ),
            ),
            need(
                "Batches",
                self.batches,
                "a second",
                format!(
                    "max({events} / {} records, {shards} shards x {} / {} s window), at most one an event",
                    rates::BATCH_RECORDS,
                    rates::BATCHES_PER_SHARD,
                    rates::WINDOW_SECONDS
                ),
            ),
            need(
                "Lambda busy",
                self.busy,
                "at once",
                format!(
                    "{events} x {micros} us / {} of a core + {batches} batches x {} s wait",
                    short(rates::CORE_SHARE),
                    rates::WAIT_SECONDS_PER_BATCH
                ),
            ),
            need(
                "Lambda concurrency",
                self.shards * rates::BATCHES_PER_SHARD,
                "reserved",
                format!(
                    "{shards} shards x {} batches at once, {} % of it busy",
                    rates::BATCHES_PER_SHARD,
                    short(self.busy * 100.0 / (self.shards * rates::BATCHES_PER_SHARD))
                ),
            ),
        ]
    }

    fn needs_of_lake(&self, load: &Load) -> Vec<Need> {
        let (events, batches) = (short(self.events), short(self.batches));
        vec![
            need("Events judged", self.judged * DAY, "a day", format!("{events} x {} % x 86,400 s", load.judged)),
            need("Violations", self.violations * DAY, "a day", format!("{events} x {} % x 86,400 s", load.violations)),
            need(
                "Files",
                self.files_a_day,
                "a day",
                format!(
                    "(min({batches} batches, {} judged) + min({batches} batches, {} violations)) x 86,400 s; compact makes a few of them",
                    short(self.judged),
                    short(self.violations)
                ),
            ),
            need(
                "Lake",
                self.gigabytes_a_month * f64::from(load.keep_months),
                "GB",
                format!(
                    "({} judged/s x {} bytes + {} violations/s x {} bytes) x 2,628,000 s x {} months",
                    short(self.judged),
                    rates::STORED_EVENT_BYTES,
                    short(self.violations),
                    rates::VIOLATION_BYTES,
                    load.keep_months
                ),
            ),
            need(
                "Per account",
                self.events * DAY / f64::from(load.accounts),
                "events a day",
                format!("{events} x 86,400 s / {} accounts", load.accounts),
            ),
        ]
    }

    fn costs(&self, load: &Load) -> Vec<Cost> {
        let line = |price: Price, quantity: f64| Cost {
            service: price.service,
            quantity: cents(quantity),
            unit: price.unit,
            usd_each: price.usd,
            usd_a_month: cents(quantity * price.usd),
            source: price.source,
        };
        let shard_hours = self.shards * MONTH_HOURS;
        let payload_units = (f64::from(load.event_bytes) / 25_600.0).ceil();
        let per_account = u64::from(load.accounts).min(rates::MOST_METRIC_ACCOUNTS) * rates::SEVERITIES;
        let told = self.violations * MONTH;
        vec![
            line(prices::SHARD_HOUR, shard_hours),
            line(prices::RETENTION_HOUR, shard_hours),
            line(prices::PUT_UNITS, self.events * payload_units * MONTH / 1e6),
            line(prices::LAMBDA_REQUESTS, self.batches * MONTH / 1e6),
            line(prices::LAMBDA_GB_SECONDS, self.busy * rates::MEMORY_GB * MONTH),
            line(prices::S3_PUTS, self.files_a_day / DAY * MONTH / 1e3),
            line(prices::S3_STORAGE, self.gigabytes_a_month * f64::from(load.keep_months)),
            line(prices::BUS_EVENTS, told / 1e6),
            line(prices::QUEUE_CALLS, told * rates::QUEUE_CALLS_PER_VIOLATION / 1e6),
            line(prices::FIREHOSE, told * rates::FIREHOSE_BYTES / 1e9),
            line(prices::METRICS, (rates::FIXED_METRICS + per_account) as f64),
            line(prices::METRIC_CALLS, self.batches * MONTH / 1e3),
            line(prices::LOGS, self.batches * rates::LOG_BYTES_PER_BATCH * MONTH / 1e9),
        ]
    }
}

fn need(name: &'static str, value: f64, unit: &'static str, formula: String) -> Need {
    Need { name, value: cents(value), unit, formula }
}

/// Two decimals, so that the answer does not depend on the last bits of a sum.
fn cents(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// The answer to read.
pub(crate) fn text(found: &Capacity) -> String {
    let Load { events_per_second, accounts, .. } = found.load;
    let mut page = format!(
        "Capacity for {} events a second from {} accounts\n\nNeeds\n",
        grouped(f64::from(events_per_second), 0),
        grouped(f64::from(accounts), 0)
    );
    for need in &found.needs {
        let decimals = if need.value.fract() == 0.0 || need.value >= 1_000.0 { 0 } else { 2 };
        page.push_str(
            &format!("  {:<19}{:>16} {}\n", need.name, grouped(need.value, decimals), need.unit).replace(" \n", "\n"),
        );
        for line in crate::plain::wrap(&need.formula, 74, 3) {
            page.push_str(&format!("{:>24}{line}\n", if need.formula.starts_with(&line) { "= " } else { "" }));
        }
    }
    page.push_str(&format!("\nCost in a month, {}\n", found.prices));
    for cost in &found.costs {
        let (quantity, usd) = (grouped(cost.quantity, 0), grouped(cost.usd_a_month, 2));
        page.push_str(&format!(
            "  {:<12}{quantity:>16} {:<38} x ${:<13} ${usd:>11}\n",
            cost.service, cost.unit, cost.usd_each
        ));
    }
    page.push_str(&format!("  {:<12}{:>69}  ${:>11}\n", "Together", "", grouped(found.usd_a_month, 2)));
    let note = format!(
        "Not counted: {}. Rates are those measured on one machine (analytics/src/capacity/rates.rs); shares of judged events and \
         violations are those of an attack rehearsal, so an upper bound: set --judged and --violations to yours.",
        found.not_counted
    );
    page.push('\n');
    crate::plain::wrap(&note, 100, 6).iter().for_each(|line| page.push_str(&format!("{line}\n")));
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(events_per_second: u32, accounts: u32) -> Load {
        Load { events_per_second, accounts, event_bytes: 1_000, judged: 1.0, violations: 0.1, keep_months: 10 }
    }

    fn need(found: &Capacity, name: &str) -> f64 {
        found.needs.iter().find(|need| need.name == name).unwrap().value
    }

    fn cost(found: &Capacity, unit: &str) -> f64 {
        found.costs.iter().find(|cost| cost.unit == unit).unwrap().usd_a_month
    }

    #[test]
    fn seven_hundred_events_a_second_fill_one_shard_and_one_more_needs_a_second() {
        assert_eq!(need(&Capacity::of(load(700, 1)), "Shards"), 1.0);
        assert_eq!(need(&Capacity::of(load(701, 1)), "Shards"), 2.0);
        // 1,400 events of 2,000 bytes: by size four, by number two.
        assert_eq!(need(&Capacity::of(Load { event_bytes: 2_000, ..load(1_400, 1) }), "Shards"), 4.0);
    }

    #[test]
    fn a_thousand_events_a_second_by_hand() {
        let found = Capacity::of(load(1_000, 100));
        // 1 MB/s / 0.7 = 1.43: two shards, four batches at once; 4 / 5 s = 0.8 batches a second, but 1,000 / 1,000 = 1.
        assert_eq!(
            (need(&found, "Shards"), need(&found, "Batches"), need(&found, "Lambda concurrency")),
            (2.0, 1.0, 4.0)
        );
        // 1,000 x 5.17 us / 0.57886 = 0.0089 s, and 1 x 0.2 s.
        assert_eq!(need(&found, "Lambda busy"), 0.21);
        assert_eq!(need(&found, "Events judged"), 864_000.0);
        assert_eq!(need(&found, "Violations"), 86_400.0);
        // One batch a second has ten judged events and one violation: a file of each.
        assert_eq!(need(&found, "Files"), 172_800.0);
        // (10 x 248 + 1 x 1,013) bytes x 2,628,000 s = 9.18 GB a month.
        assert_eq!(need(&found, "Lake"), 91.8);
        assert_eq!(cost(&found, "shard hour"), 21.9);
        assert_eq!(cost(&found, "million PUT payload units of 25 KB"), 36.79);
        assert_eq!(cost(&found, "thousand PUT requests"), 26.28);
        assert_eq!(cost(&found, "GB-month"), 2.11);
        assert_eq!(cost(&found, "million custom events"), 2.63);
        // 130 metrics, and 100 accounts by 4 severities.
        assert_eq!(cost(&found, "metric of the first 10,000"), 159.0);
        let sum: f64 = found.costs.iter().map(|cost| cost.usd_a_month).sum();
        assert_eq!(found.usd_a_month, cents(sum));
    }

    #[test]
    fn one_event_a_second_makes_no_more_batches_than_events() {
        let found = Capacity::of(load(1, 1));
        assert_eq!((need(&found, "Shards"), need(&found, "Batches")), (1.0, 0.4));
        // 0.01 judged and 0.001 violations a second: fewer files than batches.
        assert_eq!(need(&found, "Files"), 950.4);
    }

    #[test]
    fn the_text_fits_a_hundred_columns_and_shows_every_formula() {
        for (events, accounts) in [(1, 1), (10_000_000, 1_000_000)] {
            let page = text(&Capacity::of(load(events, accounts)));
            assert!(page.lines().all(|line| crate::plain::width(line) <= 100), "{page}");
            assert!(page.matches("= ").count() >= 10, "{page}");
        }
    }
}
