//! Policies that the event does not carry, read from IAM of the member account.

use local_aws::{ACCOUNT, Fault, LocalAws};
use serde_json::{Value, json};

use crate::records::{attached, bytes, omitted_inline, omitted_policy};
use crate::world::{World, id, operation, records};

const MEMBER: &str = "222222222222";
const ADMIN: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const HARMLESS: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

/// A world whose detector may read member accounts, with policies in them.
fn world(prepare: impl FnOnce(&LocalAws)) -> World {
    World::prepared(&[("READ_ROLE_NAME", "monitor-read"), ("READ_ROLE_EXTERNAL_ID", "monitor")], |aws| {
        prepare(aws);
        Vec::new()
    })
}

fn create_policy(aws: &LocalAws, account: &str, name: &str, document: &str) -> String {
    let reply = aws.iam(account, &[("Action", "CreatePolicy"), ("PolicyName", name), ("PolicyDocument", document)]);
    reply.tag("Arn").expect("a policy has an ARN")
}

fn of_member(mut event: Value) -> Vec<u8> {
    event["recipientAccountId"] = json!(MEMBER);
    event["userIdentity"]["accountId"] = json!(MEMBER);
    bytes(&event)
}

fn member_id(number: u32, rule: &str) -> uuid::Uuid {
    schemas::violation_id(MEMBER, &crate::records::event_id(number), rule)
}

#[test]
fn an_attached_policy_is_read_from_the_account_it_is_in() {
    let mut arns = Vec::new();
    let mut world = world(|aws| {
        arns.push(create_policy(aws, ACCOUNT, "own-admin", ADMIN));
        arns.push(create_policy(aws, MEMBER, "member-admin", ADMIN));
        arns.push(create_policy(aws, MEMBER, "member-harmless", HARMLESS));
    });
    let contents = [bytes(&attached(1, &arns[0])), of_member(attached(2, &arns[1])), of_member(attached(3, &arns[2]))];
    world.deliver(&records(&contents));
    world.assert_nothing_lost(&[id(1, "AdminAttached"), member_id(2, "AdminAttached")].into());
    let assumed = world.proxy.calls_of("sts", "AssumeRole");
    assert_eq!(assumed.len(), 1, "one session serves both policies of the account");
    let body = String::from_utf8_lossy(&assumed[0].body).into_owned();
    assert!(body.contains("ExternalId=monitor") && body.contains("222222222222%3Arole%2Fmonitor-read"), "{body}");
}

#[test]
fn d7_a_policy_that_cloudtrail_left_out_is_recovered_and_one_that_cannot_be_is_a_finding() {
    let mut arn = String::new();
    let mut world = world(|aws| arn = create_policy(aws, ACCOUNT, "admin", ADMIN));
    world.deliver(&records(&[bytes(&omitted_policy(1, &arn)), bytes(&omitted_inline(2))]));
    world.assert_nothing_lost(&[id(1, "AdminInline"), id(2, "PolicyHidden")].into());
}

#[test]
fn a_throttled_iam_is_asked_again() {
    let mut arn = String::new();
    let mut world = world(|aws| arn = create_policy(aws, ACCOUNT, "admin", ADMIN));
    world.proxy.fail(4, throttled(), operation("GetPolicy"));
    world.deliver(&records(&[bytes(&attached(1, &arn))]));
    world.assert_nothing_lost(&[id(1, "AdminAttached")].into());
}

#[test]
fn d29_an_iam_that_stays_throttled_is_never_clean_hidden_now_and_judged_again_later() {
    let mut arn = String::new();
    let mut world = world(|aws| arn = create_policy(aws, ACCOUNT, "admin", ADMIN));
    world.proxy.fail(usize::MAX, throttled(), operation("GetPolicy"));
    let event = bytes(&attached(1, &arn));
    world.deliver(&records(std::slice::from_ref(&event)));
    world.assert_nothing_lost(&[id(1, "PolicyHidden")].into());
    let letters = world.letters();
    assert_eq!(letters[0]["lastErrorCode"], "look_up_failed");
    assert_eq!(world.aws.metric_sum("IAMPolicyMonitor", "LookUpsFailed", &[]), 1.0);
}

#[test]
fn a_member_account_that_denies_the_role_is_not_visible_and_is_not_asked_again() {
    let mut arn = String::new();
    let mut world = world(|aws| arn = create_policy(aws, MEMBER, "admin", ADMIN));
    let denied = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
    world.proxy.fail(usize::MAX, Fault::Status(403, denied.to_owned()), operation("AssumeRole"));
    world.deliver(&records(&[of_member(attached(1, &arn))]));
    world.assert_nothing_lost(&[member_id(1, "PolicyHidden")].into());
    assert_eq!(world.proxy.calls_of("sts", "AssumeRole").len(), 1);
    assert!(world.letters().is_empty());
}

#[test]
fn a_policy_that_may_change_is_read_for_each_batch_and_an_aws_one_once() {
    let mut arn = String::new();
    let world = world(|aws| arn = create_policy(aws, ACCOUNT, "harmless", HARMLESS));
    let reads = |world: &World| world.proxy.calls_of("iam", "GetPolicy").len();
    world.deliver(&records(&[bytes(&attached(1, &arn))]));
    world.deliver(&records(&[bytes(&attached(2, &arn))]));
    assert_eq!(reads(&world), 2);
}

fn throttled() -> Fault {
    let body = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>on plan</Message></Error></ErrorResponse>";
    Fault::Status(400, body.to_owned())
}
