//! `detector explain` and `detector compare`: what a policy grants, and what a new one grants that the old did not.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use policy::{Answer, Kind, Policy, Relation, Surroundings};

use super::Exit;
use super::files::read_whole;

/// Largest policy file read, bytes. IAM's own limit is 131,072 characters.
const MAX_POLICY_BYTES: u64 = 32 << 20;

/// What to explain.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Policy document, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    reading: Reading,
}

/// What to compare.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The document of before
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The document of after
    #[arg(value_name = "NEW")]
    new: PathBuf,
    #[command(flatten)]
    reading: Reading,
}

/// How a document is to be read.
#[derive(Debug, Args)]
struct Reading {
    /// identity, trust, scp, boundary, or the service of a resource policy: s3, kms, sqs, sns, lambda, ...
    #[arg(long, value_name = "KIND", default_value = "identity")]
    kind: String,
    /// Account the document belongs to
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Organization, such as o-a1b2c3d4e5
    #[arg(long, value_name = "ORG")]
    org_id: Option<String>,
    /// Other accounts that may be let in
    #[arg(long, value_name = "ACCOUNT,...", value_delimiter = ',')]
    trusted_accounts: Vec<String>,
}

/// Prints one sentence a line; a malformed document says so first.
pub fn run(args: &ExplainArgs) -> Result<Exit> {
    let document = read(&args.file, &args.reading.kind)?;
    let surroundings = Surroundings {
        account: args.reading.account.clone(),
        organization: args.reading.org_id.clone(),
        trusted_accounts: args.reading.trusted_accounts.clone(),
    };
    let mut out = io::stdout().lock();
    for sentence in policy::explain(&document, &surroundings) {
        writeln!(out, "- {sentence}")?;
    }
    Ok(Exit::Done)
}

/// Prints both directions with a witness request each; ends with [`Exit::Found`] when access may have grown.
pub fn compare(args: &CompareArgs) -> Result<Exit> {
    let old = read(&args.old, &args.reading.kind)?;
    let new = read(&args.new, &args.reading.kind)?;
    let change = policy::compare(&old, &new);
    let mut out = io::stdout().lock();
    let said = match change.relation() {
        Relation::Equal => "Both documents grant the same.",
        Relation::More => "The new document grants everything the old one did, and more.",
        Relation::Less => "The new document grants less, and nothing new.",
        Relation::Incomparable => "Something was gained and something was lost.",
        Relation::Unknown => "A limit of the comparison was reached.",
    };
    writeln!(out, "{said}")?;
    write_direction(&mut out, "new access", &change.new_access)?;
    write_direction(&mut out, "lost access", &change.lost_access)?;
    Ok(if change.new_access.is_possible() { Exit::Found } else { Exit::Done })
}

fn write_direction(out: &mut impl Write, what: &str, answer: &Answer) -> io::Result<()> {
    match answer {
        Answer::No => writeln!(out, "{what:<12} none"),
        Answer::Unknown(reason) => writeln!(out, "{what:<12} unknown, treat it as there: {reason}"),
        Answer::Yes(witness) => {
            write!(out, "{what:<12} for example {} on {}", witness.action, witness.resource)?;
            if let Some(principal) = &witness.principal {
                write!(out, " by {principal}")?;
            }
            writeln!(out)?;
            match &witness.condition {
                Some(condition) => writeln!(out, "{:<12} {condition}", ""),
                None => Ok(()),
            }
        }
    }
}

fn read(path: &Path, kind: &str) -> Result<Policy> {
    let text = read_whole(path, MAX_POLICY_BYTES, "not a policy document")?;
    Ok(Policy::parse_bytes(&text, Kind::from_word(kind)))
}
