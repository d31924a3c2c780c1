//! Built-in samples: what each program shows when it is started without arguments.

/// Three events as the bus carries them, JSON lines: an escalation, an attached administrator policy, a repair.
pub const EVENTS: &str = include_str!("sample.jsonl");
