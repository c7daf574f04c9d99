use crate::calls::{self, Span};

/// A method of the service, as metrics, logs and traces name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Method {
    /// The service's name without its package.
    pub(crate) service: &'static str,
    /// The method's.
    pub(crate) name: &'static str,
    /// Whether the call lasts as long as something is sent or read.
    pub(crate) is_streaming: bool,
    /// Whether it is of this program's own services.
    pub(crate) is_ours: bool,
}

impl Method {
    /// What is in no table, so that a caller cannot make names up.
    const OTHER: Self = Self {
        service: "other",
        name: "other",
        is_streaming: false,
        is_ours: false,
    };

    /// The method at a path of a request.
    pub(crate) fn at(path: &str) -> Self {
        let Some(call) = calls::find(path) else {
            return Self::OTHER;
        };
        let mut parts = call.path.rsplit(['/', '.']);
        match (parts.next(), parts.next()) {
            (Some(name), Some(service)) => Self {
                service,
                name,
                is_streaming: match call.span {
                    Span::Upload | Span::Stream => true,
                    Span::Short | Span::Long => false,
                },
                is_ours: call.path.starts_with("/corridor."),
            },
            _ => Self::OTHER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_known_and_nothing_else_gets_a_name() {
        for call in &calls::CALLS {
            let method = Method::at(call.path);
            let end = format!(".{}/{}", method.service, method.name);
            assert!(call.path.ends_with(&end), "{}", call.path);
        }
        let upload = Method::at("/corridor.v1.DatasetService/UploadDataset");
        assert!(upload.is_streaming && upload.is_ours);
        assert!(!Method::at("/corridor.v1.RunService/GetRun").is_streaming);
        assert!(!Method::at("/grpc.health.v1.Health/Check").is_ours);
        for path in ["", "/", "/corridor.v1.RunService/Get", "/x/Maria"] {
            assert_eq!(Method::at(path), Method::OTHER, "{path}");
        }
    }
}
