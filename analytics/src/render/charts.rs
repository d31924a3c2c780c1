//! The charts of the HTML report, drawn as SVG by `charts-rs`.
//!
//! A chart is drawn once, in the colours of [`palette`]; `report.css` gives each of them its value in light and in dark,
//! by the attribute that holds it. Nothing in a chart is fetched, and names in it are text.

use charts_rs::{
    BarChart, ChartBase, Color, HorizontalBarChart, LegendCategory, Position, Series, SeriesCategory, Symbol,
    YAxisConfig,
};

use crate::error::AnalyticsError;
use crate::plain::fit;
use crate::report::Report;

use super::buckets::{Buckets, Step};

/// Colours as they stand in the SVG; the style sheet gives them their values.
pub(crate) mod palette {
    /// Severities, from critical to low.
    pub(crate) const SEVERITIES: [&str; 4] = ["#A11D2B", "#D9622B", "#D9A21B", "#6F8FAF"];
    /// What has no severity, and what stands against it.
    pub(crate) const PAIR: [&str; 3] = ["#2F6DB5", "#7FB08A", "#5B4B8A"];
    /// Suppressed.
    pub(crate) const QUIET: &str = "#A9B1BC";
    /// Texts.
    pub(crate) const TEXT: &str = "#4A5461";
    /// Axes.
    pub(crate) const AXIS: &str = "#98A1AD";
    /// Grid lines.
    pub(crate) const GRID: &str = "#E3E7EC";
}

/// Bars of a chart by account or rule; the rest is one more bar, or, of rules, in the table.
const BARS: usize = 12;
/// Steps of `repair_times.sql`.
const REPAIR_STEPS: [&str; 6] = ["10 s", "1 min", "5 min", "1 h", "1 day", LONGER];
const LONGER: &str = "longer";
/// Cells of a name beside its bar.
const NAME: usize = 30;
/// Size of a chart in its own units; the page scales it.
const WIDE: f32 = 1080.0;
const HALF: f32 = 530.0;
const HEIGHT: f32 = 250.0;
/// Size by which texts are laid out. `report.css` draws them smaller, since the fonts of readers are wider than the one
/// that is measured.
const FONT: f32 = 13.5;

/// A chart with what stands above it.
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) note: String,
    pub(crate) wide: bool,
    pub(crate) svg: String,
}

/// The charts that have anything to show.
pub(crate) fn charts(report: &Report) -> Result<Vec<Chart>, AnalyticsError> {
    let drawn = [violations(report)?, accounts(report)?, noise(report)?, privilege(report)?, repair_times(report)?];
    Ok(drawn.into_iter().flatten().collect())
}

fn violations(report: &Report) -> Result<Option<Chart>, AnalyticsError> {
    if report.by_day.is_empty() {
        return Ok(None);
    }
    let buckets = Buckets::of_violations(report);
    let names = buckets.rows().iter().map(|(first, _)| axis_name(buckets.step(), first)).collect();
    let counts: Vec<[i64; 4]> = buckets.rows().iter().map(|(_, counts)| *counts).collect();
    let mut chart = BarChart::new(by_severity(&counts), names);
    upright(&mut chart, &palette::SEVERITIES, WIDE);
    let svg = drawn(chart.svg())?;
    let title = format!("Reported violations by {} and severity", buckets.step().name());
    Ok(Some(Chart { title, note: String::new(), wide: true, svg }))
}

fn accounts(report: &Report) -> Result<Option<Chart>, AnalyticsError> {
    let mut rows: Vec<(String, [i64; 4])> = report
        .by_account
        .iter()
        .filter(|account| account.violations > 0)
        .map(|account| (fit(&account.account_id, NAME), [account.critical, account.high, account.medium, account.low]))
        .collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let rest = rows.split_off(rows.len().min(BARS));
    if !rest.is_empty() {
        let mut sums = [0; 4];
        for (_, counts) in &rest {
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        rows.push((format!("{} others", rest.len()), sums));
    }
    // The first bar is drawn at the bottom.
    rows.reverse();
    let counts: Vec<[i64; 4]> = rows.iter().map(|(_, counts)| *counts).collect();
    let names = rows.into_iter().map(|(name, _)| name).collect();
    let svg = lying(by_severity(&counts), names, &palette::SEVERITIES)?;
    Ok(Some(Chart { title: "Reported violations by account".to_owned(), note: String::new(), wide: false, svg }))
}

fn noise(report: &Report) -> Result<Option<Chart>, AnalyticsError> {
    let mut rules: Vec<_> = report.by_rule.iter().filter(|rule| rule.violations + rule.suppressed > 0).collect();
    if rules.is_empty() {
        return Ok(None);
    }
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.violations + rule.suppressed));
    rules.truncate(BARS);
    rules.reverse();
    let names = rules.iter().map(|rule| fit(&rule.rule_name, NAME)).collect();
    let series = vec![
        series("Reported", rules.iter().map(|rule| rule.violations), true),
        series("Suppressed", rules.iter().map(|rule| rule.suppressed), true),
    ];
    let [reported, ..] = palette::PAIR;
    let svg = lying(series, names, &[reported, palette::QUIET])?;
    let note = "how often each rule matches, and how much of it is held back".to_owned();
    Ok(Some(Chart { title: "Noisiest rules".to_owned(), note, wide: false, svg }))
}

fn privilege(report: &Report) -> Result<Option<Chart>, AnalyticsError> {
    if report.privilege.is_empty() {
        return Ok(None);
    }
    let buckets = Buckets::of_privilege(report);
    let names = buckets.rows().iter().map(|(first, _)| axis_name(buckets.step(), first)).collect();
    let counts: Vec<[i64; 2]> = buckets.rows().iter().map(|(_, counts)| *counts).collect();
    let net: Vec<i64> = counts
        .iter()
        .scan(0, |net, [granted, taken_back]| {
            *net += granted - taken_back;
            Some(*net)
        })
        .collect();
    let mut line = series("Net, since the beginning of the period", net.into_iter(), false);
    line.category = Some(SeriesCategory::Line);
    let series = vec![
        series("Granted new access", counts.iter().map(|[granted, _]| *granted), false),
        series("Taken back by a repair", counts.iter().map(|[_, taken_back]| *taken_back), false),
        line,
    ];
    let mut chart = BarChart::new(series, names);
    upright(&mut chart, &palette::PAIR, WIDE);
    let note = "changes that granted what was not granted before, less those repaired since".to_owned();
    let svg = drawn(chart.svg())?;
    Ok(Some(Chart { title: "Privilege trend".to_owned(), note, wide: true, svg }))
}

fn repair_times(report: &Report) -> Result<Option<Chart>, AnalyticsError> {
    if report.repair_times.is_empty() {
        return Ok(None);
    }
    let took =
        |step: &str| report.repair_times.iter().filter(|time| time.within == step).map(|time| time.repairs).sum();
    let name = |step: &&str| if *step == LONGER { LONGER.to_owned() } else { format!("within {step}") };
    let mut repairs = series("Repairs", REPAIR_STEPS.iter().map(|step| took(step)), false);
    repairs.label_show = true;
    let mut chart = BarChart::new(vec![repairs], REPAIR_STEPS.iter().map(name).collect());
    upright(&mut chart, &palette::PAIR, HALF);
    chart.legend.show = Some(false);
    let svg = drawn(chart.svg())?;
    let note = "from the event to the end of the repair".to_owned();
    Ok(Some(Chart { title: "Time to repair".to_owned(), note, wide: false, svg }))
}

/// Short names below an axis: the day of the month and, where it changes, nothing more; the title names the period.
fn axis_name(step: Step, first: &str) -> String {
    let from = match step {
        Step::Day | Step::Week => 5,
        Step::Month => 0,
    };
    let to = if step == Step::Month { 7 } else { 10 };
    fit(first.get(from..to).unwrap_or(first), 10)
}

fn by_severity(counts: &[[i64; 4]]) -> Vec<Series> {
    let of = |place: usize| counts.iter().map(move |counts| counts.get(place).copied().unwrap_or(0));
    let names = ["Critical", "High", "Medium", "Low"];
    names.iter().enumerate().map(|(place, name)| series(name, of(place), true)).collect()
}

fn series(name: &str, counts: impl Iterator<Item = i64>, stacked: bool) -> Series {
    // Seven digits are more than a bar shows.
    let mut series: Series = (name, counts.map(|count| count as f32).collect::<Vec<f32>>()).into();
    series.stack = stacked.then(|| "all".to_owned());
    series
}

fn upright(chart: &mut BarChart, colours: &[&str], width: f32) {
    look(&mut chart.base, &mut chart.y_axis_configs, colours);
    chart.width = width;
    chart.height = HEIGHT;
    // Counts: an axis to 4 has no lines between them.
    for axis in &mut chart.y_axis_configs {
        axis.split_number = 4;
    }
}

fn lying(series: Vec<Series>, names: Vec<String>, colours: &[&str]) -> Result<String, AnalyticsError> {
    let bars = names.len() as f32;
    let mut chart = HorizontalBarChart::new(series, names);
    look(&mut chart.base, &mut chart.y_axis_configs, colours);
    chart.width = HALF;
    chart.height = 70.0 + bars * 26.0;
    drawn(chart.svg())
}

/// What all charts have in common.
fn look(chart: &mut ChartBase, axes: &mut [YAxisConfig], colours: &[&str]) {
    let text = Color::from(palette::TEXT);
    chart.background_color = Color::transparent();
    chart.font_family = "system-ui, sans-serif".to_owned();
    chart.compact = true;
    chart.tooltip.show = true;
    chart.series.colors = colours.iter().map(|colour| Color::from(*colour)).collect();
    chart.series.symbol = Some(Symbol::None);
    chart.series.label.font.color = text;
    chart.series.label.font.size = FONT;
    chart.legend.font.color = text;
    chart.legend.font.size = FONT;
    chart.legend.category = LegendCategory::Rect;
    chart.legend.position = Some(Position::Top);
    chart.grid.stroke_color = palette::GRID.into();
    chart.x_axis.font.color = text;
    chart.x_axis.font.size = FONT;
    chart.x_axis.stroke_color = palette::AXIS.into();
    for axis in axes {
        axis.font.color = text;
        axis.font.size = FONT;
        axis.stroke_color = palette::AXIS.into();
    }
}

fn drawn(svg: charts_rs::Result<String>) -> Result<String, AnalyticsError> {
    svg.map_err(|error| AnalyticsError::Page(error.to_string()))
}
