//! The messages of the package `v1`, with the fields that are read here. Numbers and types are those of the
//! published definition; fields that are not listed are passed over.

use super::{Device, Pod};

/// The questions that say nothing.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Nothing {}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GetRequest {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) namespace: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GetResponse {}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) pods: Vec<PodResources>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AllocatableResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) devices: Vec<ContainerDevices>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PodResources {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) namespace: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) containers: Vec<ContainerResources>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerResources {
    #[prost(message, repeated, tag = "2")]
    pub(super) devices: Vec<ContainerDevices>,
    #[prost(message, repeated, tag = "5")]
    pub(super) dynamic: Vec<DynamicResource>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerDevices {
    #[prost(string, tag = "1")]
    pub(super) resource: String,
    #[prost(string, repeated, tag = "2")]
    pub(super) ids: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct DynamicResource {
    #[prost(message, repeated, tag = "4")]
    pub(super) claims: Vec<ClaimResource>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ClaimResource {
    #[prost(message, repeated, tag = "1")]
    pub(super) cdi: Vec<CdiDevice>,
    #[prost(string, tag = "2")]
    pub(super) driver: String,
    #[prost(string, tag = "4")]
    pub(super) device: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CdiDevice {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

impl ListResponse {
    /// The pods that hold anything.
    pub(super) fn pods(self) -> Vec<Pod> {
        let pods = self.pods.into_iter().map(|pod| Pod {
            namespace: pod.namespace,
            name: pod.name,
            devices: pod.containers.into_iter().flat_map(ContainerResources::devices).collect(),
        });
        pods.filter(|pod| !pod.devices.is_empty()).collect()
    }
}

impl AllocatableResponse {
    pub(super) fn devices(self) -> Vec<Device> {
        self.devices.into_iter().map(ContainerDevices::device).collect()
    }
}

impl ContainerResources {
    fn devices(self) -> impl Iterator<Item = Device> {
        let claims = self.dynamic.into_iter().flat_map(|resource| resource.claims);
        let dynamic = claims.map(|claim| {
            let names = claim.cdi.into_iter().map(|cdi| cdi.name);
            let ids = std::iter::once(claim.device).chain(names).collect();
            ContainerDevices { resource: claim.driver, ids }
        });
        self.devices.into_iter().chain(dynamic).map(ContainerDevices::device)
    }
}

impl ContainerDevices {
    fn device(self) -> Device {
        let ids = self.ids.into_iter().filter(|id| !id.is_empty()).collect();
        Device { resource: self.resource, ids }
    }
}
