//! ARNs that were copied from an example and not filled in.

use crate::policy::lint::problem::PolicyProblem;

/// Placeholders of an ARN: a region or account that is none, a `<..>` in the name.
pub(super) fn unfilled(arn: &str) -> Option<PolicyProblem> {
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    // `*` and ARNs that end early have nothing to fill in.
    let ["arn", _, _, region, account, name] = fields.as_slice() else {
        return None;
    };
    let mut faults = Vec::new();
    // All placeholders of one ARN make one finding.
    if !is_pattern(region) && !is_region(region) {
        faults.push(format!("{region:?} is no region"));
    }
    if !is_pattern(account) && !is_account(account) {
        faults.push(format!("{account:?} is no account of 12 digits"));
    }
    if let Some(placeholder) = placeholder(name) {
        faults.push(format!("{placeholder:?} is to be replaced"));
    }
    (!faults.is_empty()).then(|| PolicyProblem::UnfilledArn {
        arn: arn.into(),
        faults: faults.join(", ").into(),
    })
}

/// `true` for a part with a wildcard or a policy variable, which may stand for anything.
fn is_pattern(part: &str) -> bool {
    part.contains(['*', '?']) || part.contains("${")
}

/// `true` for a text in the form of a region: `eu-west-1`, `us-gov-west-1`.
fn is_region(text: &str) -> bool {
    let words: Vec<&str> = text.split('-').collect();
    let Some((number, words)) = words.split_last() else {
        return false;
    };
    // At least two words and a number: `eu-west-1`. `region` has neither.
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && words.len() >= 2 && words.iter().all(is_word)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// First `<..>` of a name.
fn placeholder(name: &str) -> Option<&str> {
    let (_, from) = name.split_once('<')?;
    let (inner, _) = from.split_once('>')?;
    let start = name.find('<')?;
    name.get(start..start + inner.len() + 2)
}
