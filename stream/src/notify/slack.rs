//! Slack: what is told, where, how often, and how it gets there.
//!
//! Pure: [`config`], [`route`], [`blocks`], [`storm`], [`limits`]. Edges: `ledger` (who was told, in the object store),
//! `send` (HTTP), `webhook` (where to).

pub mod blocks;
pub mod channel;
pub mod config;
pub mod fields;
pub mod ledger;
pub mod limits;

pub mod picture;
pub mod route;
pub mod send;
pub mod source;
pub mod storm;
pub mod webhook;
