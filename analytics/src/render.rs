//! The report for people and programs: [`text`] and [`html`] to read, [`markdown`] for wikis and tickets, [`csv`] for a
//! spreadsheet, JSON for programs.

pub(crate) mod backtest;
mod buckets;
mod charts;
pub(crate) mod csv;
pub(crate) mod digits;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod markdown;
mod outline;
pub(crate) mod principal;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod verify;
