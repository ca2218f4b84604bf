//! The fields of a `KubeletConfiguration` of version v1beta1, as Kubernetes 1.36 has them, by the JSON
//! type that the kubelet's decoder takes for each.
//!
//! An unknown field makes decoding lenient, a wrong type makes it fail. Values are not judged: the
//! kubelet validates them later, and needs the machine for it.

use crate::format::duration::GoDuration;
use crate::format::yaml::{Document, Entry, NodeId, Scalar, Syntax, Value};

/// The JSON type of a field. Null leaves any field as it is, save a [`Type::Duration`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Type {
    Text,
    Bool,
    /// An integer between these bounds.
    Integer(i64, i64),
    Number,
    /// A text that is a duration; null is none.
    Duration,
    OptionalDuration,
    /// A duration, or a number of nanoseconds.
    DurationOrNumber,
    List(&'static Type),
    Map(&'static Type),
    Object(&'static [(&'static str, Type)]),
    /// With a decoder of its own, which is not followed here.
    Any,
}

use Type::{Bool, Duration, DurationOrNumber, List, Map, Number, Object, OptionalDuration, Text};

const INT32: Type = Type::Integer(i32::MIN as i64, i32::MAX as i64);
const UINT32: Type = Type::Integer(0, u32::MAX as i64);
const INT64: Type = Type::Integer(i64::MIN, i64::MAX);
const TEXTS: Type = List(&Text);
const TEXT_MAP: Type = Map(&Text);

/// How to read null and the case of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// The file given by `--config`.
    MainFile,
    /// A patch laid over it: null takes a field away, whatever its type.
    DropIn,
}

/// The first value of a wrong type.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrongType {
    pub(super) line: u32,
    pub(super) what: String,
}

/// The first field that the kubelet does not know.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownField {
    pub(super) line: u32,
    pub(super) name: String,
}

/// Checks a whole configuration.
pub(super) fn check(
    document: &Document,
    manner: Manner,
) -> Result<Option<UnknownField>, WrongType> {
    let mut check = Check { document, manner, unknown: None };
    check.value(document.root(), "", &Object(CONFIGURATION))?;
    Ok(check.unknown)
}

/// The settings of a map that count: in YAML the last of each key, in JSON all of them, since Go merges
/// what stands twice there.
pub(super) fn settings(document: &Document, map: NodeId) -> Vec<Entry<'_>> {
    let entries = document.entries(map);
    if document.syntax() == Syntax::Json {
        return entries;
    }
    let mut seen = std::collections::HashSet::new();
    let mut last: Vec<Entry<'_>> =
        entries.into_iter().rev().filter(|entry| seen.insert(entry.key.clone())).collect();
    last.reverse();
    last
}

struct Check<'a> {
    document: &'a Document,
    manner: Manner,
    unknown: Option<UnknownField>,
}

impl Check<'_> {
    /// The recursion follows the types, so it is as deep as the table below and no deeper.
    fn value(&mut self, node: NodeId, path: &str, wanted: &Type) -> Result<(), WrongType> {
        let value = self.document.value(node);
        let wrong = |wanted: &str| WrongType {
            line: self.document.line(node),
            what: match path {
                "" => format!("the configuration must be {wanted}, not {}", value.describe()),
                path => format!("{path} must be {wanted}, not {}", value.describe()),
            },
        };
        match (wanted, value) {
            (Duration, Value::Scalar(Scalar::Null)) if self.manner == Manner::MainFile => {
                Err(wrong("a duration"))
            }
            (_, Value::Scalar(Scalar::Null))
            | (Type::Any, _)
            | (Text, Value::Scalar(Scalar::Text(_) | Scalar::Merge))
            | (Bool, Value::Scalar(Scalar::Bool(_)))
            | (Number | DurationOrNumber, Value::Scalar(Scalar::Integer(_)))
            | (Number, Value::Scalar(Scalar::Float(_))) => Ok(()),
            (Type::Integer(low, high), Value::Scalar(Scalar::Integer(value))) => {
                if (i128::from(*low)..=i128::from(*high)).contains(value) {
                    return Ok(());
                }
                Err(wrong(&format!("between {low} and {high}")))
            }
            (Duration | OptionalDuration | DurationOrNumber, Value::Scalar(Scalar::Text(text))) => {
                match GoDuration::parse(text) {
                    Ok(_) => Ok(()),
                    Err(error) => Err(WrongType {
                        line: self.document.line(node),
                        what: format!("{path}: {error}"),
                    }),
                }
            }
            (List(item), Value::Sequence(items)) => {
                for node in items {
                    self.value(*node, path, item)?;
                }
                Ok(())
            }
            (Map(item), Value::Mapping) => {
                for entry in settings(self.document, node) {
                    self.value(entry.value, &format!("{path}.{}", entry.key), item)?;
                }
                Ok(())
            }
            (Object(fields), Value::Mapping) => self.object(node, path, fields),
            (Text, _) => Err(wrong("a string")),
            (Bool, _) => Err(wrong("a bool")),
            (Type::Integer(..), _) => Err(wrong("an integer")),
            (Number, _) => Err(wrong("a number")),
            (Duration | OptionalDuration | DurationOrNumber, _) => Err(wrong("a duration")),
            (List(_), _) => Err(wrong("a list")),
            (Map(_) | Object(_), _) => Err(wrong("a map")),
        }
    }

    fn object(
        &mut self,
        node: NodeId,
        path: &str,
        fields: &'static [(&'static str, Type)],
    ) -> Result<(), WrongType> {
        for entry in settings(self.document, node) {
            // The merged configuration is decoded without regard to case.
            let field = fields.iter().find(|(name, _)| match self.manner {
                Manner::MainFile => *name == entry.key,
                Manner::DropIn => name.eq_ignore_ascii_case(&entry.key),
            });
            let name = if path.is_empty() {
                entry.key.clone().into_owned()
            } else {
                format!("{path}.{}", entry.key)
            };
            match field {
                Some((_, wanted)) => self.value(entry.value, &name, wanted)?,
                None if self.unknown.is_none() => {
                    self.unknown = Some(UnknownField { line: entry.line, name });
                }
                None => {}
            }
        }
        Ok(())
    }
}

const CONFIGURATION: &[(&str, Type)] = &[
    ("apiVersion", Text),
    ("kind", Text),
    ("address", Text),
    ("allowedUnsafeSysctls", TEXTS),
    ("authentication", Object(AUTHENTICATION)),
    ("authorization", Object(AUTHORIZATION)),
    ("cgroupDriver", Text),
    ("cgroupRoot", Text),
    ("cgroupsPerQOS", Bool),
    ("clusterDNS", TEXTS),
    ("clusterDomain", Text),
    ("configMapAndSecretChangeDetectionStrategy", Text),
    ("containerLogMaxFiles", INT32),
    ("containerLogMaxSize", Text),
    ("containerLogMaxWorkers", INT32),
    ("containerLogMonitorInterval", OptionalDuration),
    ("containerRuntimeEndpoint", Text),
    ("contentType", Text),
    ("cpuCFSQuota", Bool),
    ("cpuCFSQuotaPeriod", OptionalDuration),
    ("cpuManagerPolicy", Text),
    ("cpuManagerPolicyOptions", TEXT_MAP),
    ("cpuManagerReconcilePeriod", Duration),
    ("crashLoopBackOff", Object(&[("maxContainerRestartPeriod", OptionalDuration)])),
    ("enableContentionProfiling", Bool),
    ("enableControllerAttachDetach", Bool),
    ("enableDebugFlagsHandler", Bool),
    ("enableDebuggingHandlers", Bool),
    ("enableProfilingHandler", Bool),
    ("enableServer", Bool),
    ("enableSystemLogHandler", Bool),
    ("enableSystemLogQuery", Bool),
    ("enforceNodeAllocatable", TEXTS),
    ("eventBurst", INT32),
    ("eventRecordQPS", INT32),
    ("evictionHard", TEXT_MAP),
    ("evictionMaxPodGracePeriod", INT32),
    ("evictionMinimumReclaim", TEXT_MAP),
    ("evictionPressureTransitionPeriod", Duration),
    ("evictionSoft", TEXT_MAP),
    ("evictionSoftGracePeriod", TEXT_MAP),
    ("failCgroupV1", Bool),
    ("failSwapOn", Bool),
    ("featureGates", Map(&Bool)),
    ("fileCheckFrequency", Duration),
    ("hairpinMode", Text),
    ("healthzBindAddress", Text),
    ("healthzPort", INT32),
    ("httpCheckFrequency", Duration),
    ("imageGCHighThresholdPercent", INT32),
    ("imageGCLowThresholdPercent", INT32),
    ("imageMaximumGCAge", Duration),
    ("imageMinimumGCAge", Duration),
    ("imagePullCredentialsVerificationPolicy", Text),
    ("imageServiceEndpoint", Text),
    ("iptablesDropBit", INT32),
    ("iptablesMasqueradeBit", INT32),
    ("kernelMemcgNotification", Bool),
    ("kubeAPIBurst", INT32),
    ("kubeAPIQPS", INT32),
    ("kubeReserved", TEXT_MAP),
    ("kubeReservedCgroup", Text),
    ("kubeletCgroups", Text),
    ("localStorageCapacityIsolation", Bool),
    ("logging", Object(LOGGING)),
    ("makeIPTablesUtilChains", Bool),
    ("maxOpenFiles", INT64),
    ("maxParallelImagePulls", INT32),
    ("maxPods", INT32),
    ("memoryManagerPolicy", Text),
    ("memoryReservationPolicy", Text),
    ("memorySwap", Object(&[("swapBehavior", Text)])),
    ("memoryThrottlingFactor", Number),
    ("mergeDefaultEvictionSettings", Bool),
    ("nodeLeaseDurationSeconds", INT32),
    ("nodeStatusMaxImages", INT32),
    ("nodeStatusReportFrequency", Duration),
    ("nodeStatusUpdateFrequency", Duration),
    ("oomScoreAdj", INT32),
    ("podCIDR", Text),
    ("podLogsDir", Text),
    ("podPidsLimit", INT64),
    ("podsPerCore", INT32),
    ("port", INT32),
    ("preloadedImagesVerificationAllowlist", TEXTS),
    ("protectKernelDefaults", Bool),
    ("providerID", Text),
    ("qosReserved", TEXT_MAP),
    ("readOnlyPort", INT32),
    ("registerNode", Bool),
    ("registerWithTaints", List(&Object(TAINT))),
    ("registryBurst", INT32),
    ("registryPullQPS", INT32),
    ("reservedMemory", List(&Object(&[("numaNode", INT32), ("limits", Map(&Type::Any))]))),
    ("reservedSystemCPUs", Text),
    ("resolvConf", Text),
    ("rotateCertificates", Bool),
    ("runOnce", Bool),
    ("runtimeRequestTimeout", Duration),
    ("seccompDefault", Bool),
    ("serializeImagePulls", Bool),
    ("serverTLSBootstrap", Bool),
    ("showHiddenMetricsForVersion", Text),
    ("shutdownGracePeriod", Duration),
    ("shutdownGracePeriodByPodPriority", List(&Object(SHUTDOWN_BY_PRIORITY))),
    ("shutdownGracePeriodCriticalPods", Duration),
    ("singleProcessOOMKill", Bool),
    ("staticPodPath", Text),
    ("staticPodURL", Text),
    ("staticPodURLHeader", Map(&TEXTS)),
    ("streamingConnectionIdleTimeout", Duration),
    ("syncFrequency", Duration),
    ("systemCgroups", Text),
    ("systemReserved", TEXT_MAP),
    ("systemReservedCgroup", Text),
    ("tlsCertFile", Text),
    ("tlsCipherSuites", TEXTS),
    ("tlsCurvePreferences", List(&INT32)),
    ("tlsMinVersion", Text),
    ("tlsPrivateKeyFile", Text),
    ("topologyManagerPolicy", Text),
    ("topologyManagerPolicyOptions", TEXT_MAP),
    ("topologyManagerScope", Text),
    ("tracing", Object(&[("endpoint", Text), ("samplingRatePerMillion", INT32)])),
    ("userNamespaces", Object(&[("idsPerPod", INT64)])),
    ("volumePluginDir", Text),
    ("volumeStatsAggPeriod", Duration),
];

const AUTHENTICATION: &[(&str, Type)] = &[
    ("anonymous", Object(&[("enabled", Bool)])),
    ("webhook", Object(&[("cacheTTL", Duration), ("enabled", Bool)])),
    ("x509", Object(&[("clientCAFile", Text)])),
];

const AUTHORIZATION: &[(&str, Type)] = &[
    ("mode", Text),
    ("webhook", Object(&[("cacheAuthorizedTTL", Duration), ("cacheUnauthorizedTTL", Duration)])),
];

const LOGGING: &[(&str, Type)] = &[
    ("flushFrequency", DurationOrNumber),
    ("format", Text),
    ("options", Object(&[("json", Object(LOG_OUTPUT)), ("text", Object(LOG_OUTPUT))])),
    ("verbosity", UINT32),
    ("vmodule", Type::Any),
];

const LOG_OUTPUT: &[(&str, Type)] = &[("infoBufferSize", Type::Any), ("splitStream", Bool)];

const SHUTDOWN_BY_PRIORITY: &[(&str, Type)] =
    &[("priority", INT32), ("shutdownGracePeriodSeconds", INT64)];

const TAINT: &[(&str, Type)] =
    &[("effect", Text), ("key", Text), ("timeAdded", Type::Any), ("value", Text)];
