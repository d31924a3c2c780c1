#!/bin/sh
# Checks the Terraform module as far as this machine allows. What cannot run is said, never passed over in silence.
#   TERRAFORM_CHECK=/path/to/terraform-check   a schema-only provider: everything below, without network or credentials.
#                                              Unset: terraform-check on PATH, or in shared/ beside this repository
#   STRICT=1                                   what did not run is a failure
set -u
cd "$(dirname "$0")/.."
failed=0
missing=0
not_run() {
    echo "NOT RUN: $1"
    missing=1
}
step() {
    label=$1
    shift
    if "$@"; then echo "ok: $label"; else
        echo "FAILED: $label"
        failed=1
    fi
}

# Needs python3 alone.
step "tables of the README" python3 tools/terraform-tables.py --check
sources=$(python3 tools/render-terraform.py --hash)
step "rendered.json belongs to the sources" grep -q "$sources" terraform/generated/rendered.json

# The template of member accounts, by AWS's own linter.
if command -v cfn-lint >/dev/null 2>&1 && cfn-lint --version >/dev/null 2>&1; then
    step "cfn-lint" cfn-lint terraform/templates/member-roles.yaml
else
    not_run "cfn-lint of terraform/templates (pip install cfn-lint)"
fi

if [ -z "${TERRAFORM_CHECK:-}" ]; then
    TERRAFORM_CHECK=$(command -v terraform-check || echo ../shared/terraform-check/terraform-check)
    [ -x "$TERRAFORM_CHECK" ] && command -v terraform >/dev/null 2>&1 || TERRAFORM_CHECK=
fi
if [ -n "$TERRAFORM_CHECK" ]; then
    step "terraform-check" "$TERRAFORM_CHECK" terraform --recursive --apply --iam --security
elif ! command -v terraform >/dev/null 2>&1; then
    not_run "terraform fmt, validate and test: there is no terraform on PATH (1.11 or newer)"
else
    step "terraform fmt" terraform fmt -check -recursive -diff terraform
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    mkdir "$scratch/terraform"
    cp -R terraform/. "$scratch/terraform"
    ln -s "$PWD/schemas" "$PWD/config" "$scratch"
    if (cd "$scratch/terraform" && terraform init -backend=false -input=false -no-color) >"$scratch/init.log" 2>&1; then
        step "terraform validate" terraform -chdir="$scratch/terraform" validate -no-color
        step "terraform test" terraform -chdir="$scratch/terraform" test -no-color
        for example in terraform/examples/*/; do
            here="$scratch/$example"
            step "validate $example" sh -c "cd '$here' && terraform init -backend=false -input=false -no-color >/dev/null && terraform validate -no-color"
        done
    else
        not_run "terraform validate and test: the provider hashicorp/aws cannot be had ($(grep -m1 -iE 'could not|error' "$scratch/init.log" | cut -c1-120))"
    fi
fi

[ $missing = 0 ] || [ "${STRICT:-0}" = 0 ] || failed=1
exit $failed
