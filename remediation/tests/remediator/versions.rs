//! Reverting a managed policy to the version of before, against moto's IAM: MiniStack does not know the call.

use local_aws::{LocalAws, Proxy};
use serde_json::{Value, json};

use crate::details::details;
use crate::world::{BAD, GOOD, Instance, MEMBER, OWN, World, config, message, violation_id};

const OLD: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}]}"#;

/// moto for IAM and STS, everything else as usual.
struct Versions {
    world: World,
    moto: LocalAws,
    proxy: Proxy,
    instance: Instance,
}

impl Versions {
    fn new() -> Versions {
        let world = World::new(&config());
        let moto = LocalAws::start_moto();
        let proxy = Proxy::start(&moto);
        let url = proxy.url();
        moto.iam(OWN, &[("Action", "CreateUser"), ("UserName", "monitor")]);
        let made = moto.iam(OWN, &[("Action", "CreateAccessKey"), ("UserName", "monitor")]);
        let key = made.tag("AccessKeyId").expect("a key");
        let led = [("AWS_ENDPOINT_URL_IAM", &url), ("AWS_ENDPOINT_URL_STS", &url), ("AWS_ACCESS_KEY_ID", &key)];
        let instance = world.instance(&led.map(|(name, value)| (name, value.as_str())));
        Versions { world, moto, proxy, instance }
    }

    /// A policy with these versions, the last in force, held by a user, a role and a group.
    fn policy(&self, account: &str, name: &str, documents: &[&str]) -> String {
        let arn = format!("arn:aws:iam::{account}:policy/{name}");
        let iam =
            |action: &str, pairs: &[(&str, &str)]| self.moto.iam(account, &[&[("Action", action)], pairs].concat());
        iam("CreatePolicy", &[("PolicyName", name), ("PolicyDocument", documents[0])]);
        for (kind, trust) in [("User", None), ("Group", None), ("Role", Some(GOOD))] {
            let key = format!("{kind}Name");
            let holder = format!("{name}-{kind}");
            let trust = trust.map(|trust| ("AssumeRolePolicyDocument", trust));
            let pairs: Vec<(&str, &str)> = [(key.as_str(), holder.as_str())].into_iter().chain(trust).collect();
            iam(&format!("Create{kind}"), &pairs);
            iam(&format!("Attach{kind}Policy"), &[(&key, &holder), ("PolicyArn", &arn)]);
        }
        for document in &documents[1..] {
            self.add(account, &arn, document);
        }
        arn
    }

    fn add(&self, account: &str, arn: &str, document: &str) {
        let parts = [("Action", "CreatePolicyVersion"), ("PolicyArn", arn), ("PolicyDocument", document)];
        self.moto.iam(account, &[&parts[..], &[("SetAsDefault", "true")]].concat());
    }

    fn in_force(&self, account: &str, arn: &str) -> Option<String> {
        self.moto.iam(account, &[("Action", "GetPolicy"), ("PolicyArn", arn)]).tag("DefaultVersionId")
    }

    fn calls(&self) -> usize {
        self.proxy.calls_of("iam", "SetDefaultPolicyVersion").len()
    }
}

fn request(account: &str, arn: &str) -> Value {
    let name = arn.rsplit('/').next().unwrap();
    message(
        account,
        name,
        json!({"remediation_action": "revert_policy_version", "policy_arn": arn, "target_arn": arn,
            "target_type": "policy", "event_kind": "managed_policy_version", "policy_name": null}),
    )
}

#[test]
fn the_version_of_before_comes_into_force_again_in_two_accounts_and_undo_puts_the_other_back() {
    let at = Versions::new();
    let mut cases = Vec::new();
    for account in [OWN, MEMBER] {
        let arn = at.policy(account, "shared", &[GOOD, BAD]);
        cases.push((account, request(account, &arn), arn, details(&at.moto, account)));
    }
    let asked: Vec<&Value> = cases.iter().map(|case| &case.1).collect();
    assert!(at.instance.deliver(asked.iter().copied()).is_empty(), "{}", at.instance.function.log());
    for (account, asked, arn, attacked) in &cases {
        let row = at.world.rows_of(&violation_id(asked)).pop().expect("a row");
        assert_eq!(row["status"], "SUCCESS", "{row}");
        assert_eq!(at.in_force(account, arn).as_deref(), Some("v1"), "{account}");
        assert_ne!(&details(&at.moto, account), attacked);
    }
    let changing = at.proxy.calls().into_iter().filter(crate::world::is_change).count();
    assert_eq!((at.calls(), changing), (2, 2), "one call for each, and no other that changes anything");
    // Delivered once more it stays as it is.
    assert!(at.instance.deliver(asked).is_empty());
    assert_eq!(at.calls(), 2);
    for (account, asked, arn, attacked) in &cases {
        assert!(at.instance.undo(&violation_id(asked)).contains("Done."));
        assert_eq!(at.in_force(account, arn).as_deref(), Some("v2"), "{account}");
        assert_eq!(&details(&at.moto, account), attacked, "{account}");
    }
}

#[test]
fn of_three_versions_the_baseline_tells_which_one_and_without_it_nothing_is_changed() {
    let at = Versions::new();
    let unknown = at.policy(MEMBER, "unknown", &[OLD, GOOD, BAD]);
    let known = at.policy(OWN, "known", &[OLD, GOOD]);
    let (is_noted, text) = at.instance.command(&["baseline", "--account", OWN]);
    assert!(is_noted, "{text}");
    at.add(OWN, &known, BAD);
    let asked = [request(MEMBER, &unknown), request(OWN, &known)];
    assert!(at.instance.deliver(&asked).is_empty(), "{}", at.instance.function.log());
    let row = at.world.rows_of(&violation_id(&asked[0])).pop().expect("a row");
    assert!(row["status"] == "SKIPPED" && row["reason"].as_str().unwrap().contains("remediator baseline"), "{row}");
    assert_eq!(at.in_force(MEMBER, &unknown).as_deref(), Some("v3"));
    assert_eq!(at.in_force(OWN, &known).as_deref(), Some("v2"));
    assert_eq!(at.calls(), 1);
}
