//! The regions of AWS, to recognise a mistyped one.

/// True if this version knows the region.
pub(crate) fn is_known(region: &str) -> bool {
    REGIONS.contains(&region)
}

/// Region with the smallest edit distance; `None` if it is larger than 3.
pub(crate) fn nearest(region: &str) -> Option<&'static str> {
    let (distance, nearest) = REGIONS
        .iter()
        .map(|known| (strsim::damerau_levenshtein(region, known), *known))
        .min()?;
    (distance <= 3).then_some(nearest)
}

const REGIONS: [&str; 37] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_region_is_near_the_one_meant_and_nonsense_is_near_none() {
        assert_eq!(nearest("eu-wset-1"), Some("eu-west-1"));
        assert_eq!(nearest("us-est-1"), Some("us-east-1"));
        assert_eq!(nearest("here"), None);
        assert!(is_known("eu-west-1") && !is_known("eu-west-9"));
    }
}
