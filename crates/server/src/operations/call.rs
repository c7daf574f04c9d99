use std::fmt;
use std::sync::OnceLock;

use corridor_core::{Entropy, fill};

/// What is noted of a call while it is under way, for the log, metrics and traces.
#[derive(Debug, Default)]
pub(crate) struct Call {
    request_id: RequestId,
    role: OnceLock<&'static str>,
    reason: OnceLock<&'static str>,
}

tokio::task_local! {
    /// The call that is being answered.
    pub(crate) static CALL: std::sync::Arc<Call>;
}

impl Call {
    pub(crate) fn new(request_id: RequestId) -> Self {
        Self {
            request_id,
            ..Self::default()
        }
    }

    /// The role of the caller; `unknown` when it has none here.
    pub(crate) fn role(&self) -> &'static str {
        self.role.get().copied().unwrap_or("unknown")
    }

    /// The reason code it was refused with.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        self.reason.get().copied()
    }
}

/// Notes in which role the caller of the current call stands: a word of a closed list, never a name.
pub(crate) fn note_role(role: &'static str) {
    // Outside a call, as in a test of a service alone, there is nothing to note it in.
    CALL.try_with(|call| _ = call.role.get_or_init(|| role))
        .unwrap_or_default();
}

/// Notes why the current call is refused.
pub(crate) fn note_reason(reason: &'static str) {
    CALL.try_with(|call| _ = call.reason.get_or_init(|| reason))
        .unwrap_or_default();
}

/// The id of the current call.
pub(crate) fn current_request_id() -> Option<RequestId> {
    CALL.try_with(|call| call.request_id.clone()).ok()
}

/// The id of one call, by which its caller and the operator of the service find it in their logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RequestId(String);

impl RequestId {
    /// The id a caller gave, when it is well-formed: 16 to 64 hexadecimal digits and hyphens, as of a UUID. Whatever could
    /// spell a name is not taken, since it would end up in the log.
    pub(crate) fn from_caller(text: &[u8]) -> Option<Self> {
        let is_well_formed = (16..=64).contains(&text.len())
            && text.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
        is_well_formed
            .then(|| String::from_utf8(text.to_ascii_lowercase()).ok().map(Self))
            .flatten()
    }

    /// A new one.
    pub(crate) fn draw(entropy: &mut dyn Entropy) -> Self {
        let mut bytes = [0; 16];
        fill(entropy, &mut bytes);
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use corridor_core::SeededEntropy;

    use super::*;

    #[test]
    fn an_id_of_a_caller_is_taken_only_when_it_cannot_say_anything() {
        let taken = |text: &str| RequestId::from_caller(text.as_bytes()).map(|id| id.to_string());
        assert_eq!(
            taken("0191E2B4-5c1d-7c3a-9f00-3a2b1c0d9e8f").as_deref(),
            Some("0191e2b4-5c1d-7c3a-9f00-3a2b1c0d9e8f")
        );
        for text in [
            "",
            "abc",
            "maria-rossi-1984-02-29",
            "0123456789abcdef\n",
            &"0".repeat(65),
        ] {
            assert_eq!(taken(text), None, "{text:?}");
        }
    }

    #[test]
    fn drawn_ids_are_well_formed_and_differ() {
        let mut entropy = SeededEntropy::new(1, "request ids");
        let (one, two) = (RequestId::draw(&mut entropy), RequestId::draw(&mut entropy));
        assert_ne!(one, two);
        assert_eq!(RequestId::from_caller(one.as_str().as_bytes()), Some(one));
    }
}
