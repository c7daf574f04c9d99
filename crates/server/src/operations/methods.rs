use std::collections::HashMap;
use std::sync::Arc;

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// A method of the service, as metrics, logs and traces name it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Method {
    /// The service's name without its package.
    pub(crate) service: Arc<str>,
    /// The method's.
    pub(crate) name: Arc<str>,
    /// Whether more than one message may come or go.
    pub(crate) is_streaming: bool,
    /// Whether it is of this program's own services.
    pub(crate) is_ours: bool,
}

/// The methods there are, by path. What is called otherwise is `other`, so that a caller cannot make names up.
#[derive(Debug, Clone)]
pub(crate) struct Methods {
    by_path: Arc<HashMap<String, Arc<Method>>>,
    other: Arc<Method>,
}

impl Methods {
    /// Those of a set of descriptors.
    pub(crate) fn new(descriptor_set: &[u8]) -> Result<Self, prost::DecodeError> {
        let set = FileDescriptorSet::decode(descriptor_set)?;
        let mut by_path = HashMap::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    let method = Method {
                        service: service.name().into(),
                        name: method.name().into(),
                        is_streaming: method.client_streaming() || method.server_streaming(),
                        is_ours: true,
                    };
                    by_path.insert(path, Arc::new(method));
                }
            }
        }
        Ok(Self {
            by_path: Arc::new(by_path),
            other: Arc::new(Method {
                service: "other".into(),
                name: "other".into(),
                is_streaming: false,
                is_ours: false,
            }),
        })
    }

    /// The method at a path of a request.
    pub(crate) fn at(&self, path: &str) -> Arc<Method> {
        Arc::clone(self.by_path.get(path).unwrap_or(&self.other))
    }

    #[cfg(test)]
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Method>> {
        self.by_path.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_known_and_nothing_else_gets_a_name() {
        let methods = Methods::new(corridor_wire::DESCRIPTOR_SET).unwrap();
        assert!(methods.all().count() >= 20);
        let upload = methods.at("/corridor.v1.DatasetService/UploadDataset");
        assert_eq!(
            (&*upload.service, &*upload.name),
            ("DatasetService", "UploadDataset")
        );
        assert!(upload.is_streaming && upload.is_ours);
        assert!(!methods.at("/corridor.v1.RunService/GetRun").is_streaming);
        for path in [
            "",
            "/",
            "/corridor.v1.RunService/Get",
            "/grpc.health.v1.Health/Check",
            "/x/Maria",
        ] {
            assert_eq!(&*methods.at(path).name, "other", "{path}");
        }
    }
}
