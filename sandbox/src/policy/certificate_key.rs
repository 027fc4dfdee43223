//! Policy variables of client certificates: `iot:Certificate.*`.

/// Side of a certificate that a variable is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CertificateHolder {
    Issuer,
    Subject,
}

/// One variable, such as `iot:Certificate.Subject.OrganizationalUnit.2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CertificateKey {
    /// `None` for the serial number of the certificate itself.
    holder: Option<CertificateHolder>,
    field: &'static str,
    item: Item,
}

/// Values of a field that a variable stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    First,
    /// Index from 0; variables count from 1.
    Index(usize),
    /// All, by the suffix `.List`.
    List,
}

impl CertificateKey {
    pub(crate) const SUBJECT_COMMON_NAME: Self = Self {
        holder: Some(CertificateHolder::Subject),
        field: COMMON_NAME,
        item: Item::First,
    };

    /// Attributes of a name: object identifier, and the word of the variable.
    pub(crate) const NAME_FIELDS: [(&'static str, &'static str); 13] = [
        ("2.5.4.3", COMMON_NAME),
        ("2.5.4.4", "Surname"),
        ("2.5.4.5", SERIAL_NUMBER),
        ("2.5.4.6", "Country"),
        ("2.5.4.8", "State"),
        ("2.5.4.10", "Organization"),
        ("2.5.4.11", "OrganizationalUnit"),
        ("2.5.4.12", "Title"),
        ("2.5.4.42", "GivenName"),
        ("2.5.4.43", "Initials"),
        ("2.5.4.44", "GenerationQualifier"),
        ("2.5.4.46", "DistinguishedNameQualifier"),
        ("2.5.4.65", "Pseudonym"),
    ];

    /// Variable of this name, in either case; `None` for another one.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = after(name, "iot:Certificate.")?;
        if name.eq_ignore_ascii_case(SERIAL_NUMBER) {
            return Some(Self {
                holder: None,
                field: SERIAL_NUMBER,
                item: Item::First,
            });
        }
        let subject = after(name, "Subject.").map(|rest| (CertificateHolder::Subject, rest));
        let issuer = || after(name, "Issuer.").map(|rest| (CertificateHolder::Issuer, rest));
        let (holder, name) = subject.or_else(issuer)?;
        let fields = Self::NAME_FIELDS.iter().map(|(_, field)| *field);
        let field = fields
            .chain(ALTERNATIVE_NAMES)
            .find(|field| after(name, field).is_some_and(|rest| item(rest).is_some()))?;
        Some(Self {
            holder: Some(holder),
            field,
            item: item(after(name, field)?)?,
        })
    }

    pub(crate) fn is_serial_number(self) -> bool {
        self.holder.is_none()
    }

    /// Returns `true` if the variable is about this field.
    pub(crate) fn is(self, holder: CertificateHolder, field: &str) -> bool {
        self.holder == Some(holder) && self.field == field
    }

    /// Values of the field that the variable stands for.
    pub(crate) fn select(self, values: &[String]) -> &[String] {
        match self.item {
            Item::First => values.get(..1),
            Item::Index(index) => values.get(index..=index),
            Item::List => Some(values),
        }
        .unwrap_or_default()
    }
}

/// Rest of a name after this beginning, in either case.
fn after<'a>(name: &'a str, beginning: &str) -> Option<&'a str> {
    let (start, rest) = name.split_at_checked(beginning.len())?;
    start.eq_ignore_ascii_case(beginning).then_some(rest)
}

/// Item by the suffix of a variable: none, `.N` from 1 to 5, or `.List`.
fn item(suffix: &str) -> Option<Item> {
    if suffix.is_empty() {
        return Some(Item::First);
    }
    let suffix = suffix.strip_prefix('.')?;
    if suffix.eq_ignore_ascii_case("List") {
        return Some(Item::List);
    }
    let number: usize = suffix.parse().ok()?;
    (1..=5).contains(&number).then(|| Item::Index(number - 1))
}

const COMMON_NAME: &str = "CommonName";
const SERIAL_NUMBER: &str = "SerialNumber";
const ALTERNATIVE_NAMES: [&str; 5] = [
    "AlternativeName.RFC822Name",
    "AlternativeName.DNSName",
    "AlternativeName.DirectoryName",
    "AlternativeName.UniformResourceIdentifier",
    "AlternativeName.IPAddress",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_known_by_side_field_and_item() {
        let values = ["a".to_owned(), "b".to_owned()];
        for (name, expected) in [
            ("iot:Certificate.Subject.Organization", Some(&["a"][..])),
            ("IOT:certificate.subject.organization.2", Some(&["b"])),
            ("iot:Certificate.Issuer.OrganizationalUnit.5", Some(&[])),
            (
                "iot:Certificate.Subject.AlternativeName.DNSName.List",
                Some(&["a", "b"]),
            ),
            ("iot:Certificate.SerialNumber", Some(&["a"])),
            ("iot:Certificate.Subject.Organization.0", None),
            ("iot:Certificate.Subject.Organization.6", None),
            ("iot:Certificate.Subject.Organizations", None),
            ("iot:Certificate.Subject", None),
            ("iot:CertificateId", None),
            ("", None),
        ] {
            let key = CertificateKey::named(name);
            let selected = key.map(|key| key.select(&values).to_vec());
            let expected = expected.map(|values| values.iter().map(ToString::to_string).collect());
            assert_eq!(selected, expected, "{name}");
        }
    }
}
