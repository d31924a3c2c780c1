//! Several documents decide together: identity and resource policies, boundary, organization, within and across accounts.

use policy::{Caller, Context, Decision, Documents, Kind, Policy, Request, Service, decide_together};

const OBJECT: &str = "arn:aws:s3:::reports/2024";
const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
const HOME: Option<&str> = Some("111122223333");
const ELSEWHERE: Option<&str> = Some("444455556666");

fn identity(effect: &str, action: &str) -> Policy {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Action":"{action}","Resource":"*"}}]}}"#
    );
    Policy::parse(&text, Kind::Identity)
}

fn bucket(effect: &str, principal: &str) -> Policy {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"{effect}","Principal":{principal},"Action":"s3:GetObject","Resource":"{OBJECT}"}}]}}"#
    );
    Policy::parse(&text, Kind::Resource(Service::S3))
}

fn decided(documents: &Documents<'_>, caller: Option<Caller<'_>>) -> Decision {
    let request = Request { action: "s3:GetObject", resource: OBJECT, caller, context: &Context::new() };
    decide_together(documents, &request)
}

#[test]
fn within_an_account_one_side_is_enough_and_across_accounts_both_are_needed() {
    use Decision::{Allow, ExplicitDeny, ImplicitDeny};
    let may = [identity("Allow", "s3:*")];
    let may_not = [identity("Deny", "s3:*")];
    let (open, closed) = (bucket("Allow", r#"{"AWS":"111122223333"}"#), bucket("Deny", r#""*""#));
    let of_others = bucket("Allow", r#"{"AWS":"777788889999"}"#);
    type Row<'r> = (&'r [Policy], Option<&'r Policy>, Decision, Decision);
    let rows: [Row<'_>; 8] = [
        (&[], None, ImplicitDeny, ImplicitDeny),
        (&may, None, Allow, ImplicitDeny),
        (&[], Some(&open), Allow, ImplicitDeny),
        (&may, Some(&open), Allow, Allow),
        (&may, Some(&of_others), Allow, ImplicitDeny),
        (&may, Some(&closed), ExplicitDeny, ExplicitDeny),
        (&may_not, Some(&open), ExplicitDeny, ExplicitDeny),
        (&[], Some(&closed), ExplicitDeny, ExplicitDeny),
    ];
    for (row, (identity, resource, at_home, across)) in rows.into_iter().enumerate() {
        let documents = |owner| Documents { identity, resource, resource_account: owner, ..Documents::default() };
        let by = |owner, caller| decided(&documents(owner), caller);
        assert_eq!(by(HOME, Some(Caller::Arn(ALICE))), at_home, "row {row}, own account");
        assert_eq!(by(None, Some(Caller::Arn(ALICE))), at_home, "row {row}, account not told");
        assert_eq!(by(ELSEWHERE, Some(Caller::Arn(ALICE))), across, "row {row}, other account");
        let session = Caller::Arn("arn:aws:sts::111122223333:assumed-role/ops/alice");
        assert_eq!(by(ELSEWHERE, Some(session)), across, "row {row}, session of a role");
    }
}

#[test]
fn services_and_the_public_need_only_the_resource_policy() {
    let (service, everybody) = (bucket("Allow", r#"{"Service":"logs.amazonaws.com"}"#), bucket("Allow", r#""*""#));
    let of = |policy| Documents { resource: Some(policy), resource_account: ELSEWHERE, ..Documents::default() };
    assert_eq!(decided(&of(&service), Some(Caller::Service("logs.amazonaws.com"))), Decision::Allow);
    assert_eq!(decided(&of(&service), Some(Caller::Anonymous)), Decision::ImplicitDeny);
    assert_eq!(decided(&of(&everybody), Some(Caller::Anonymous)), Decision::Allow);
}

#[test]
fn boundary_and_organization_limit_what_is_granted() {
    use Decision::{Allow, ExplicitDeny, ImplicitDeny};
    let may = [identity("Allow", "*")];
    let named = bucket("Allow", &format!(r#"{{"AWS":"{ALICE}"}}"#));
    let (wide, narrow, deny) =
        (identity("Allow", "s3:*"), identity("Allow", "ec2:*"), identity("Deny", "s3:GetObject"));
    let levels = |policies: [&Policy; 2]| policies.map(|policy| vec![policy.clone()]).to_vec();
    let rows = [
        (Some(&wide), vec![], Allow, Allow),
        // At home the bucket names Alice, which a boundary that says nothing does not take away.
        (Some(&narrow), vec![], Allow, ImplicitDeny),
        (Some(&deny), vec![], ExplicitDeny, ExplicitDeny),
        (None, levels([&wide, &wide]), Allow, Allow),
        (None, levels([&wide, &narrow]), ImplicitDeny, ImplicitDeny),
        (None, levels([&deny, &wide]), ExplicitDeny, ExplicitDeny),
    ];
    for (row, (boundary, organization, at_home, across)) in rows.into_iter().enumerate() {
        for (owner, expected) in [(HOME, at_home), (ELSEWHERE, across)] {
            let documents = Documents {
                identity: &may,
                resource: Some(&named),
                resource_account: owner,
                boundary,
                organization: &organization,
            };
            assert_eq!(decided(&documents, Some(Caller::Arn(ALICE))), expected, "row {row}, owner {owner:?}");
        }
    }
}
