//! The committed files are what the column lists say. `UPDATE_SCHEMAS=1 cargo test -p schemas` rewrites them.
#![allow(clippy::expect_used, clippy::indexing_slicing)] // helpers of tests, which clippy.toml does not cover

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use schemas::{TABLES, physical_name, rendered_files};
use serde_json::Value;

fn generated() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("generated")
}

fn committed(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("generated folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            committed(&path, found);
        } else {
            let relative = path.strip_prefix(generated()).expect("below generated");
            found.insert(relative.to_string_lossy().replace('\\', "/"));
        }
    }
}

/// Old files are read by name and type, so what was committed once must stay, in its place.
fn assert_appended_only() {
    for table in TABLES {
        let path = generated().join(format!("glue/{}.json", physical_name(table)));
        let Ok(text) = fs::read_to_string(path) else { continue };
        let committed: Value = serde_json::from_str(&text).expect("JSON");
        let rendered =
            rendered_files().into_iter().find(|file| file.path == format!("glue/{}.json", physical_name(table)));
        let rendered: Value = serde_json::from_str(&rendered.expect("rendered").content).expect("JSON");
        for (index, column) in committed["columns"].as_array().expect("columns").iter().enumerate() {
            let now = &rendered["columns"][index];
            let same = now["name"] == column["name"] && now["type"] == column["type"];
            assert!(same, "{}: column {column} was renamed, moved or retyped: only append", table.name);
        }
    }
}

#[test]
fn committed_files_are_what_the_columns_render_to() {
    let files = rendered_files();
    assert_appended_only();
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        let _ = fs::remove_dir_all(generated());
        for file in &files {
            let path = generated().join(&file.path);
            fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            fs::write(path, &file.content).expect("write");
        }
    }
    for file in &files {
        let there = fs::read_to_string(generated().join(&file.path)).unwrap_or_default();
        assert!(there == file.content, "{} differs: run UPDATE_SCHEMAS=1 cargo test -p schemas", file.path);
    }
    let mut found = BTreeSet::new();
    committed(&generated(), &mut found);
    let rendered: BTreeSet<String> = files.into_iter().map(|file| file.path).collect();
    assert_eq!(found, rendered, "files that nothing renders");
}

#[test]
fn every_name_and_comment_fits_glue_and_athena_without_escapes() {
    for table in TABLES {
        let mut names = BTreeSet::new();
        for column in table.columns {
            assert!(names.insert(column.name), "{}.{} twice", table.name, column.name);
            assert!(column.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", column.name);
            assert!(column.description.len() <= 255 && !column.description.contains(['\'', '\\']), "{}", column.name);
        }
        let named = table.bloom.iter().chain(table.first_copy).chain(table.id_within).chain([&table.id, &table.time]);
        assert!(named.into_iter().all(|name| names.contains(name)), "{} names a column it does not have", table.name);
    }
}
