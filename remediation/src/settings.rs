//! The variables that only the remediator reads, beside those of [`stream::settings::Settings`]. Read once, at the start.

/// One variable of the environment: name, default, meaning. The table in the README is this list; a test compares them.
pub const SETTINGS: &[(&str, &str, &str)] = &[
    (
        "REMEDIATOR_CONFIG_KEY",
        "remediator-config.json",
        "Key in RULES_BUCKET of what may be repaired; without the file nothing is.",
    ),
    ("REMEDIATION_ROLE_NAME", "", "Role to assume in member accounts; without it only the own account is repaired."),
    ("REMEDIATION_EXTERNAL_ID", "", "External id for that role."),
    (
        "OWN_ACCOUNT_ROLE_NAME",
        "",
        "Role to assume in the own account, for sessions limited to one call there too; without it the program's own rights are used.",
    ),
    (
        "SNAPSHOT_BUCKET",
        "",
        "Bucket, `s3://bucket/prefix` or folder of the snapshots; without it they are in AUDIT_BUCKET.",
    ),
];

/// What these variables say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSettings {
    /// `REMEDIATOR_CONFIG_KEY`.
    pub config_key: String,
    /// `REMEDIATION_ROLE_NAME`.
    pub role_name: Option<String>,
    /// `REMEDIATION_EXTERNAL_ID`.
    pub external_id: Option<String>,
    /// `OWN_ACCOUNT_ROLE_NAME`.
    pub own_account_role_name: Option<String>,
    /// `SNAPSHOT_BUCKET`, as a location that [`lake::Lake::open`] takes.
    pub snapshot_location: Option<String>,
}

impl OwnSettings {
    /// Reads the environment of this process.
    pub fn from_env() -> OwnSettings {
        OwnSettings::read(&|name| std::env::var(name).ok())
    }

    /// Reads variables from wherever they are. An unset variable and an empty one are the same.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> OwnSettings {
        let optional = |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let default = |name: &str| SETTINGS.iter().find(|setting| setting.0 == name).map_or("", |setting| setting.1);
        let text = |name: &str| optional(name).unwrap_or_else(|| default(name).to_owned());
        let location = |value: String| {
            let is_bare = !value.contains('/') && !value.starts_with('.');
            if is_bare { format!("s3://{value}") } else { value }
        };
        OwnSettings {
            config_key: text("REMEDIATOR_CONFIG_KEY"),
            role_name: optional("REMEDIATION_ROLE_NAME"),
            external_id: optional("REMEDIATION_EXTERNAL_ID"),
            own_account_role_name: optional("OWN_ACCOUNT_ROLE_NAME"),
            snapshot_location: optional("SNAPSHOT_BUCKET").map(location),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_variable_read_is_in_the_list_and_the_readme_shows_the_list() {
        let asked = std::cell::RefCell::new(std::collections::BTreeSet::new());
        OwnSettings::read(&|name| {
            asked.borrow_mut().insert(name.to_owned());
            None
        });
        let listed = SETTINGS.iter().map(|setting| setting.0.to_owned()).collect();
        assert_eq!(asked.into_inner(), listed);
        let readme = include_str!("../README.md");
        for (name, default, meaning) in SETTINGS {
            let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
            let row = format!("| `{name}` | {default} | {meaning} |");
            assert!(readme.contains(&row), "remediation/README.md must hold this row:\n{row}");
        }
    }

    #[test]
    fn a_bare_name_is_a_bucket_and_a_path_a_folder() {
        let read = |value: &str| OwnSettings::read(&|name| (name == "SNAPSHOT_BUCKET").then(|| value.to_owned()));
        assert_eq!(read("snaps").snapshot_location.as_deref(), Some("s3://snaps"));
        assert_eq!(read("./snaps").snapshot_location.as_deref(), Some("./snaps"));
    }
}
