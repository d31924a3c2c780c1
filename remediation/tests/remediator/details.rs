//! Everything IAM knows of an account, in a form that can be compared: lists in any order are the same.

use local_aws::LocalAws;

/// What differs when a policy is created again, and what every answer has anew.
const LEFT_OUT: [&str; 6] = ["PolicyId", "CreateDate", "UpdateDate", "RequestId", "VersionId", "DefaultVersionId"];

/// The account authorization details, sorted.
pub(crate) fn details(aws: &LocalAws, account: &str) -> String {
    let text = aws.iam(account, &[("Action", "GetAccountAuthorizationDetails")]).text();
    let start = text.find("<GetAccountAuthorizationDetailsResponse").expect("an answer");
    canonical(&mut text[start..].to_owned().as_str(), 0).expect("XML")
}

/// Takes one element off the text; its children sorted.
fn canonical(text: &mut &str, depth: usize) -> Option<String> {
    *text = text.trim_start().strip_prefix('<')?;
    let end = text.find('>')?;
    let (open, rest) = text.split_at(end);
    *text = &rest[1..];
    let name = open.split([' ', '/']).next()?.to_owned();
    if open.ends_with('/') {
        return Some(String::new());
    }
    let mut children = Vec::new();
    let close = format!("</{name}>");
    loop {
        if let Some(rest) = text.trim_start().strip_prefix(close.as_str()) {
            *text = rest;
            break;
        }
        if text.trim_start().starts_with('<') {
            children.push(canonical(text, depth + 1)?);
        } else {
            let (value, rest) = text.split_at(text.find('<')?);
            children.push(format!("{value}\n"));
            *text = rest;
        }
    }
    children.sort();
    let inside = children.concat();
    if LEFT_OUT.contains(&name.as_str()) || inside.is_empty() {
        return Some(String::new());
    }
    let indent = " ".repeat(depth);
    Some(format!("{indent}{name}:{}{inside}", if inside.contains(':') { "\n" } else { " " }))
}
