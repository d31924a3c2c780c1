//! `analytics compact` beside queries, on a folder.

use std::sync::atomic::{AtomicBool, Ordering};

use analytics::Tables;
use schemas::VIOLATIONS;

use crate::fixture::{Fixture, january};

const REPORT: [&str; 7] = ["report", "--month", "2024-01", "--audit", "audit", "--format", "json"];

/// January in many small files with repeats.
async fn small_files() -> Fixture {
    let fixture = Fixture::two_months().await;
    let lake = fixture.lake().await;
    for rows in january().chunks(23).chain(january().chunks(31)) {
        lake.write_rows(&VIOLATIONS, rows).await.unwrap();
    }
    fixture
}

#[tokio::test]
async fn a_report_is_the_same_before_beside_and_after_compaction() {
    let fixture = small_files().await;
    let before = fixture.run(&REPORT).out;
    let files = fixture.files("violations").len();
    let would = fixture.run(&["compact", "--audit", "audit", "--dry-run"]);
    assert!(would.out.contains("would become"), "{}", would.out);
    assert_eq!(fixture.files("violations").len(), files);

    let run = fixture.run(&["compact", "--audit", "audit"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(run.out.contains("stay for running queries: remove them with a run after 20"), "{}", run.out);
    assert!(fixture.files("violations").len() > files, "nothing is removed within the grace period");
    assert_eq!(fixture.run(&REPORT).out, before);

    let run = fixture.run(&["compact", "--audit", "audit", "--grace", "0"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let days = fixture.files("violations/year=2024").len();
    assert_eq!(days, 31, "one file a day");
    assert_eq!(fixture.run(&REPORT).out, before);
    let again = fixture.run(&["compact", "--audit", "audit", "--grace", "0"]);
    assert_eq!(again.out, "nothing to do: no day has several small files\n");
}

#[tokio::test]
async fn a_month_alone_can_be_compacted_and_what_cannot_be_merged_is_named() {
    let fixture = small_files().await;
    let december = fixture.files("violations/year=2023");
    std::fs::write(fixture.path("audit/violations/year=2024/month=01/day=05/x.parquet"), "no parquet").unwrap();
    let run = fixture.run(&["compact", "--audit", "audit", "--month", "2024-01", "--grace", "0"]);
    assert_eq!(run.code, 4, "{}", run.out);
    assert!(run.err.contains("left out violations/year=2024/month=01/day=05/x.parquet"), "{}", run.err);
    assert_eq!(fixture.files("violations/year=2023"), december);
    assert_eq!(fixture.files("violations/year=2024/month=01/day=05").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_whose_files_are_merged_away_under_it_is_planned_again() {
    let fixture = small_files().await;
    let lake = fixture.lake().await;
    let sql = "SELECT COUNT(*), SUM(CASE WHEN severity = 'HIGH' THEN 1 ELSE 0 END) FROM violations WHERE year = '2024'";
    let count = async || {
        let mut tables = Tables::open(&lake).await.unwrap();
        let answer = tables.query(sql).await.unwrap();
        assert_eq!(tables.left_out(), []);
        format!("{:?}", answer.batches)
    };
    let before = count().await;
    let over = AtomicBool::new(false);
    let compaction = async {
        // Without a grace period: files go while queries read them.
        for rows in [13, 17, 19, 29] {
            let partitions = lake.partitions_to_merge(&VIOLATIONS, lake::Within::All).await.unwrap();
            for partition in &partitions {
                lake.merge_partition(&VIOLATIONS, partition, chrono::Utc::now()).await.unwrap();
                lake.remove_merged(&VIOLATIONS, chrono::Utc::now(), chrono::TimeDelta::zero()).await.unwrap();
                tokio::task::yield_now().await;
            }
            for rows in january().chunks(rows) {
                lake.write_rows(&VIOLATIONS, rows).await.unwrap();
            }
        }
        over.store(true, Ordering::SeqCst);
    };
    let readers = async {
        while !over.load(Ordering::SeqCst) {
            assert_eq!(count().await, before);
        }
    };
    futures::join!(compaction, readers);
    assert_eq!(count().await, before);
}
