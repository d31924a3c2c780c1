//! The bundled catalogue is whole, sorted and readable.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests"
)]

use policy::catalogue::{self, AccessLevel};
use policy::{Kind, Policy};

/// AWS-managed policies that the reader finds fault with, and why that is so.
const FAULTY: [(&str, &str); 0] = [];

#[test]
fn every_file_can_be_unpacked_and_has_its_rows() {
    assert_eq!(catalogue::actions().count(), 22_009);
    assert_eq!(catalogue::managed_policies().count(), 1_643);
    assert_eq!(
        catalogue::resource_arn("iam", "user"),
        Some("arn:${Partition}:iam::${Account}:user/${UserNameWithPath}")
    );
}

#[test]
fn the_date_is_a_date() {
    let parts: Vec<usize> = catalogue::DATE.split('-').map(str::len).collect();
    assert_eq!(parts, [4, 2, 2], "{}", catalogue::DATE);
}

#[test]
fn actions_are_sorted_and_each_is_found_in_any_case() {
    let names: Vec<String> = catalogue::actions().map(|action| action.name.to_ascii_lowercase()).collect();
    assert!(names.is_sorted_by(|a, b| a < b));
    for action in catalogue::actions() {
        let (service, name) = action.name.split_once(':').unwrap();
        assert_eq!(catalogue::action(service, name), Some(action));
        assert_eq!(catalogue::action(service, &name.to_ascii_uppercase()), Some(action));
    }
}

#[test]
fn well_known_actions_have_their_level_and_resource_types() {
    let cases = [
        ("iam", "CreateAccessKey", AccessLevel::PermissionsManagement, Some("user")),
        ("iam", "PassRole", AccessLevel::PermissionsManagement, Some("role")),
        ("s3", "GetObject", AccessLevel::Read, Some("object")),
        ("s3", "ListAllMyBuckets", AccessLevel::List, None),
        ("ec2", "RunInstances", AccessLevel::Write, Some("instance")),
    ];
    for (service, name, level, resource_type) in cases {
        let action = catalogue::action(service, name).unwrap();
        println!("{action:?}");
        assert_eq!(action.access_level, level, "{service}:{name}");
        assert!(
            resource_type.is_none_or(|wanted| action.resource_types().any(|own| own == wanted)),
            "{service}:{name}"
        );
    }
}

#[test]
fn an_unknown_name_is_not_there() {
    assert_eq!(catalogue::action("iam", "CreateEverything"), None);
    assert_eq!(catalogue::action("", ""), None);
    assert_eq!(catalogue::resource_arn("iam", "nothing"), None);
    assert_eq!(catalogue::managed_policy("NoSuchPolicy"), None);
    assert_eq!(catalogue::managed_policy(""), None);
    assert_eq!(catalogue::managed_policy("arn:aws:iam::111122223333:policy/AdministratorAccess"), None);
}

#[test]
fn a_managed_policy_is_found_by_name_and_by_arn_of_any_partition() {
    let names: Vec<&str> = catalogue::managed_policies().map(|policy| policy.name).collect();
    assert!(names.is_sorted_by(|a, b| a < b));
    for policy in catalogue::managed_policies() {
        assert_eq!(catalogue::managed_policy(policy.name), Some(policy.document));
        assert_eq!(catalogue::managed_policy(policy.arn), Some(policy.document), "{}", policy.arn);
    }
    for arn in [
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "arn:aws-cn:iam::aws:policy/AdministratorAccess",
        "arn:aws-us-gov:iam::aws:policy/service-role/AdministratorAccess",
    ] {
        assert!(catalogue::managed_policy(arn).is_some_and(|document| document.contains(r#""Action":"*""#)), "{arn}");
    }
}

#[test]
fn every_managed_policy_is_read_without_fault_or_is_listed_here() {
    let mut faulty = Vec::new();
    for managed in catalogue::managed_policies() {
        let policy = Policy::parse(managed.document, Kind::Identity);
        assert!(!policy.statements.is_empty(), "{}", managed.name);
        if let Some(fault) = policy.malformed.first() {
            faulty.push((managed.name, fault.to_string()));
        }
    }
    let faulty: Vec<(&str, &str)> = faulty.iter().map(|(name, fault)| (*name, fault.as_str())).collect();
    assert_eq!(faulty, FAULTY);
}
