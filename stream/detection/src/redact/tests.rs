use proptest::prelude::*;

use super::*;

const ALL: usize = 1_000_000;

#[test]
fn secrets_go_and_everything_else_stays_as_it_was() {
    let cases = [
        // AssumeRole and GetFederationToken
        (
            r#"{"responseElements":{"credentials":{"accessKeyId":"ASIAEXAMPLE","sessionToken":"AQoXnyc4lcK4w4OI","secretAccessKey":"x","expiration":"Jul 10, 2023"},"assumedRoleUser":{"arn":"arn:a"}}}"#,
            r#"{"responseElements":{"credentials":{"accessKeyId":"ASIAEXAMPLE","sessionToken":"[redacted]","secretAccessKey":"[redacted]","expiration":"Jul 10, 2023"},"assumedRoleUser":{"arn":"arn:a"}}}"#,
        ),
        // CreateAccessKey: the id is no secret
        (
            r#"{"responseElements":{"accessKey":{"userName":"bob","accessKeyId":"AKIAEXAMPLE","status":"Active"}}}"#,
            r#"{"responseElements":{"accessKey":{"userName":"bob","accessKeyId":"AKIAEXAMPLE","status":"Active"}}}"#,
        ),
        // CreateLoginProfile, UpdateAccountPasswordPolicy: settings about passwords are none
        (
            r#"{"requestParameters":{"userName":"bob","password":"p","passwordResetRequired":true,"allowUsersToChangePassword":true,"minimumPasswordLength":8}}"#,
            r#"{"requestParameters":{"userName":"bob","password":"[redacted]","passwordResetRequired":true,"allowUsersToChangePassword":true,"minimumPasswordLength":8}}"#,
        ),
        // CreateServiceSpecificCredential, SAML, web identity, RDS, a token that only pages
        (
            r#"{"servicePassword":"a","sAMLAssertion":"b","webIdentityToken":"c","masterUserPassword":"d","nextToken":"e","clientToken":"f","X-Amz-Security-Token":"g","private-key":["h",{"i":"j"}]}"#,
            r#"{"servicePassword":"[redacted]","sAMLAssertion":"[redacted]","webIdentityToken":"[redacted]","masterUserPassword":"[redacted]","nextToken":"e","clientToken":"f","X-Amz-Security-Token":"[redacted]","private-key":["[redacted]",{"i":"[redacted]"}]}"#,
        ),
        // ConsoleLogin
        (
            r#"{"responseElements":{"ConsoleLogin":"Success"},"additionalEventData":{"LoginTo":"https://console.aws.amazon.com/?x=1","MFAUsed":"No"}}"#,
            r#"{"responseElements":{"ConsoleLogin":"Success"},"additionalEventData":{"LoginTo":"https://console.aws.amazon.com/?x=1","MFAUsed":"No"}}"#,
        ),
        // Secrets by their look, and pairs of name and value
        (
            r#"{"a":"-----BEGIN RSA PRIVATE KEY-----\nMII","b":"https://hooks.slack.com/services/T/B/x","c":"https://b.s3.amazonaws.com/k?X-Amz-Signature=1","parameters":[{"parameterKey":"DbPassword","parameterValue":"p"},{"parameterKey":"Size","parameterValue":"1"}]}"#,
            r#"{"a":"[redacted]","b":"[redacted]","c":"[redacted]","parameters":[{"parameterKey":"DbPassword","parameterValue":"[redacted]"},{"parameterKey":"Size","parameterValue":"1"}]}"#,
        ),
        // JSON in text: cleaned if there is something to clean, else left to the letter
        (
            r#"{"body":"{ \"user\": 1, \"password\": \"p\" }","policyDocument":"{ \"Statement\" : [ ] }"}"#,
            r#"{"body":"{\"user\":1,\"password\":\"[redacted]\"}","policyDocument":"{ \"Statement\" : [ ] }"}"#,
        ),
    ];
    for (record, expected) in cases {
        assert_eq!(redact(record, ALL), expected);
        assert_eq!(redact(expected, ALL), expected, "a second time changes nothing");
    }
}

#[test]
fn json_in_text_is_looked_through_to_the_depth_and_no_deeper() {
    let nested = |levels: usize| {
        (0..levels)
            .fold(r#"{"password":"p4ssw0rd"}"#.to_owned(), |inner, _| serde_json::json!({ "text": inner }).to_string())
    };
    assert!(!redact(&nested(MAX_SECRET_DEPTH), ALL).contains("p4ssw0rd"));
    assert!(redact(&nested(MAX_SECRET_DEPTH + 1), ALL).contains("p4ssw0rd"));
}

#[test]
fn a_record_over_the_size_loses_its_largest_members_first() {
    let record = format!(
        r#"{{"eventName":"X","requestParameters":{{"a":"{}"}},"responseElements":{{"b":"{}"}}}}"#,
        "x".repeat(500),
        "y".repeat(300)
    );
    assert_eq!(redact(&record, record.len()), record);
    let shorter = redact(&record, record.len() - 1);
    assert!(shorter.len() < record.len());
    assert!(
        shorter.contains(r#""requestParameters":{"omitted":true,"originalSize":508,"reason":"record too large"}"#),
        "{shorter}"
    );
    assert!(shorter.contains("yyy") && shorter.contains(r#""eventName":"X""#));
    assert!(!redact(&record, 250).contains("yyy"));
    assert_eq!(redact("[[[", 10), r#"{"omitted":true,"originalSize":3,"reason":"not readable as JSON"}"#);
}

#[test]
fn the_keys_are_written_as_they_are_compared() {
    for key in SECRET_KEYS {
        assert!(key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{key}");
        assert!(is_secret(key) && is_secret(&format!("my-{}", key.to_uppercase())));
    }
}

/// JSON as text, spaced and escaped in any way, with secrets, repeated keys and JSON in text.
fn json() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        3 => "[a-c]{1,2}", 1 => Just("password".to_owned()), 1 => Just("my-ApiKey".to_owned()), 1 => Just("name".to_owned()),
        1 => Just("Value".to_owned()), 1 => Just("\\u0061".to_owned()), 1 => Just("é\\n".to_owned()),
    ];
    let leaf = prop_oneof![
        3 => "[a-d]{0,3}".prop_map(|text| format!("\"{text}\"")), 1 => Just(r#""dbPassword""#.to_owned()),
        1 => any::<i64>().prop_map(|number| number.to_string()), 1 => any::<f64>().prop_map(|number| format!("{number:e}")),
        1 => Just("18446744073709551615".to_owned()), 1 => Just("1.00".to_owned()), 1 => Just("-0".to_owned()),
        1 => Just("1e400".to_owned()), 1 => Just("true".to_owned()), 1 => Just("null".to_owned()), 1 => Just("tru".to_owned()),
        1 => Just(r#""\u00e9\/\u001f\b\\ \"""#.to_owned()), 1 => Just(r#""https://x/?X-Amz-Signature=1""#.to_owned()),
        1 => Just(r#""{ \"a\": 1 }""#.to_owned()), 1 => Just(r#""{\"password\":\"x\"}""#.to_owned()),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        let member = (key.clone(), inner.clone()).prop_map(|(key, value)| format!("\"{key}\" :{value}"));
        prop_oneof![
            2 => proptest::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(" ,"))),
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(|entries| format!("[ {}]", entries.join(", "))),
            1 => inner.prop_map(|inner| Value::from(inner).to_string()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn a_copy_is_what_rewriting_gives(json in json()) {
        if let Some(copied) = copy::copy(&json, MAX_SECRET_DEPTH) {
            prop_assert_eq!(copied, rewrite(&json, ALL), "{}", json);
        }
    }
}

#[test]
fn what_holds_no_secret_is_copied() {
    for json in ["{}", "[]", r#"{"a":[1,-2,3.5,{"b":null}],"c":"{\"x\":1}","name":"bob","value":"1"}"#] {
        assert_eq!(copy::copy(json, MAX_SECRET_DEPTH).as_deref(), Some(json));
    }
    for json in [r#"{"password":"x"}"#, r#"{"a":1,"a":2}"#, r#"{"name":"password","value":"x"}"#, "{} x", "{"] {
        assert_eq!(copy::copy(json, MAX_SECRET_DEPTH), None);
    }
}
