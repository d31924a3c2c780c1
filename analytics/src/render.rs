//! The report for people and programs: [`text`] to read, [`csv`] for a spreadsheet, JSON for programs.

pub(crate) mod csv;
pub(crate) mod json;
pub(crate) mod table;
pub(crate) mod text;
