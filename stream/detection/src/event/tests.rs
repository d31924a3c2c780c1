use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn event(raw: &str) -> CloudTrailEvent<'_> {
    CloudTrailEvent::parse(raw, Some(at("2020-01-01T00:00:00Z"))).unwrap()
}

#[test]
fn a_field_of_an_odd_type_counts_as_absent_and_the_rest_is_read() {
    let odd = event(
        r#"{"eventName":"PutUserPolicy","eventSource":7,"eventID":{},"eventTime":12,"awsRegion":[1],"sourceIPAddress":null,
            "userAgent":{"a":1},"errorCode":{},"errorMessage":3,"userIdentity":"root","requestParameters":"text",
            "responseElements":[],"resources":{"a":1},"recipientAccountId":111122223333,"readOnly":"false","eventType":1,
            "additionalEventData":4,"sharedEventID":false,"addendum":null}"#,
    );
    assert_eq!(odd.event_name, "PutUserPolicy");
    assert_eq!(odd.event_source, "");
    assert_eq!(odd.event_time, at("2020-01-01T00:00:00Z"));
    assert_eq!(odd.account_id(), "111122223333");
    assert_eq!(odd.outcome(), Outcome::Success);
    assert_eq!(odd.read_only, Some(false));
    assert_eq!(odd.user_identity, UserIdentity::default());
    assert_eq!(odd.resource_list(), []);
    assert_eq!(odd.mfa_authenticated(), None);
    assert!(!odd.request_omitted() && odd.addendum.is_none());
}

#[test]
fn an_event_without_an_id_gets_the_same_one_from_the_same_text() {
    let (one, two) = (r#"{"eventName":"A","eventID":""}"#, r#"{"eventName":"B"}"#);
    assert_eq!(event(one).event_id(), event(one).event_id());
    assert_ne!(event(one).event_id(), event(two).event_id());
    assert_eq!(event(r#"{"eventName":"A","eventID":"x"}"#).event_id(), "x");
}

#[test]
fn the_last_of_repeated_keys_counts() {
    assert_eq!(event(r#"{"eventName":"A","eventName":"B"}"#).event_name, "B");
}

#[test]
fn the_time_is_the_events_own_then_logstashs_then_the_envelopes() {
    let cases = [
        (
            r#"{"eventName":"A","eventTime":"2024-07-09T15:41:00Z","@timestamp":"2020-09-14T00:44:23.000Z"}"#,
            "2024-07-09T15:41:00Z",
        ),
        (r#"{"eventName":"A","eventTime":"soon","@timestamp":"2020-09-14T00:44:23.5Z"}"#, "2020-09-14T00:44:23.5Z"),
        (r#"{"eventName":"A","eventTime":"2022-02-08 09:23:37+11:00"}"#, "2022-02-07T22:23:37Z"),
        (r#"{"eventName":"A","eventTime":"2022-02-08T09:23:37"}"#, "2022-02-08T09:23:37Z"),
        (r#"{"eventName":"A"}"#, "2020-01-01T00:00:00Z"),
    ];
    for (raw, expected) in cases {
        assert_eq!(event(raw).event_time, at(expected), "{raw}");
    }
    assert!(matches!(CloudTrailEvent::parse(r#"{"eventName":"A"}"#, None), Err(EventError::NoEventTime)));
}

#[test]
fn an_event_nested_to_the_limit_is_read_and_one_level_more_is_refused() {
    let nested = |levels: usize| {
        format!(r#"{{"eventName":"A","requestParameters":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels))
    };
    let deepest = nested(MAX_EVENT_DEPTH - 1);
    assert!(event(&deepest).parameters().is_array());
    let time = Some(at("2020-01-01T00:00:00Z"));
    assert!(matches!(CloudTrailEvent::parse(&nested(MAX_EVENT_DEPTH), time), Err(EventError::TooDeep)));
    let brackets_in_text = format!(r#"{{"eventName":"A","userAgent":"\"{}"}}"#, "[".repeat(5_000));
    assert!(CloudTrailEvent::parse(&brackets_in_text, time).is_ok());
}

#[test]
fn a_failed_sign_in_is_a_failure_without_an_error_code() {
    let raw = r#"{"eventName":"ConsoleLogin","eventSource":"signin.amazonaws.com","errorMessage":"Failed authentication",
        "responseElements":{"ConsoleLogin":"Failure"},"additionalEventData":{"MFAUsed":"No"}}"#;
    assert_eq!(event(raw).outcome(), Outcome::Failure);
    assert_eq!(event(raw).mfa_authenticated(), Some(false));
    assert_eq!(event(r#"{"eventName":"A","errorCode":"AccessDenied"}"#).outcome(), Outcome::Failure);
    assert_eq!(event(r#"{"eventName":"A","errorCode":""}"#).outcome(), Outcome::Success);
}

#[test]
fn only_a_version_date_is_taken_off_a_name() {
    let cases = [
        ("AddPermission20150331v2", "AddPermission"),
        ("AddPermission20150331", "AddPermission"),
        ("CreateDistribution2020_05_31", "CreateDistribution2020_05_31"),
        ("AddLayerVersionPermission20181031", "AddLayerVersionPermission"),
        ("CreateFunction", "CreateFunction"),
        ("PutBucketV2", "PutBucketV2"),
        ("Sha256", "Sha256"),
        ("20150331", "20150331"),
        ("", ""),
    ];
    for (name, expected) in cases {
        assert_eq!(base_name(name), expected);
    }
}
