//! `--task-managers kubernetes`: the flags, and what they mean for the pods.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use incumbent::backend::{Address, causes};
use incumbent_backend_kubernetes::Access;
use incumbent_cluster_core::pods::MOST_TASK_MANAGERS;
use incumbent_cluster_kubernetes::{
    KubernetesPods, OwnerWanted, PodSettings, PodsOptions, SlotResources, TemplateSource,
};
use incumbent_cluster_node::{MakeTaskManagers, NodeOptions};

use super::args::{DEFAULT_SLOTS, MOST_SLOTS, PartArgs};
use super::bad;
use crate::exit::Failure;
use crate::settings::Common;

/// Most pods that can be asked for: as many TaskManagers as a leader takes in.
const MOST_PODS: i64 = 10_000;

/// What makes TaskManagers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Maker {
    /// Kubernetes: pods while slots are missing.
    Kubernetes,
}

/// TaskManagers that are made while slots are missing.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "TaskManagers that Kubernetes makes")]
pub(crate) struct MakerArgs {
    /// Let the leader ask Kubernetes for TaskManagers while slots are missing, and give back those
    /// that nobody needs. Without it, people start them.
    #[arg(
        long = "task-managers",
        value_name = "WHO",
        env = "INCUMBENT_TASK_MANAGERS_BY"
    )]
    maker: Option<Maker>,

    /// Slots of each pod.
    #[arg(long, value_name = "N", env = "INCUMBENT_SLOTS_PER_POD", default_value_t = DEFAULT_SLOTS, value_parser = clap::value_parser!(u32).range(1..=MOST_SLOTS))]
    slots_per_pod: u32,

    /// Most pods at a time.
    #[arg(long, value_name = "N", env = "INCUMBENT_MOST_TASK_MANAGERS", default_value_t = MOST_TASK_MANAGERS, value_parser = clap::value_parser!(u32).range(0..=MOST_PODS))]
    most_task_managers: u32,

    /// How long a TaskManager may have nothing to do before its pod is given back.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_IDLE_RELEASE", default_value = "60s", value_parser = humantime::parse_duration)]
    idle_release: Duration,

    /// A Pod of Kubernetes, YAML or JSON, that all pods are made from: FILE, configmap/NAME or
    /// configmap/NAME/KEY. Its container `task-manager` is the TaskManager.
    #[arg(long, value_name = "TEMPLATE", env = "INCUMBENT_POD_TEMPLATE")]
    pod_template: Option<TemplateSource>,

    /// The image of TaskManagers, if the template names none [default: the image of this pod]
    #[arg(long, value_name = "IMAGE", env = "INCUMBENT_TASK_MANAGER_IMAGE")]
    task_manager_image: Option<String>,

    /// Processor time to request for each slot, such as 500m.
    #[arg(long, value_name = "QUANTITY", env = "INCUMBENT_SLOT_CPU")]
    slot_cpu: Option<String>,

    /// Memory to request for each slot, which is also the limit, such as 1Gi.
    #[arg(long, value_name = "QUANTITY", env = "INCUMBENT_SLOT_MEMORY")]
    slot_memory: Option<String>,

    /// The owner of the pods, with which they go: own (what keeps this pod, usually a Deployment),
    /// deployment/NAME, statefulset/NAME or none.
    #[arg(
        long,
        value_name = "OWNER",
        env = "INCUMBENT_POD_OWNER",
        default_value = "own"
    )]
    pod_owner: OwnerWanted,

    /// What the names of pods begin with [default: the cluster in --ha kubernetes://, otherwise the
    /// group]
    #[arg(long, value_name = "NAME", env = "INCUMBENT_POD_PREFIX")]
    pod_prefix: Option<String>,

    /// The namespace of the pods [default: that of --ha kubernetes://, otherwise of this pod or of
    /// the kubeconfig]
    #[arg(long, value_name = "NAMESPACE", env = "INCUMBENT_POD_NAMESPACE")]
    pod_namespace: Option<String>,

    /// The port on which TaskManagers listen, each at the address of its pod.
    #[arg(
        long,
        value_name = "PORT",
        env = "INCUMBENT_POD_PORT",
        default_value_t = 8081
    )]
    pod_port: u16,
}

/// The maker of TaskManagers, if there is to be one.
pub(super) async fn maker(
    common: &Common,
    part: &PartArgs,
    args: MakerArgs,
    options: &NodeOptions,
) -> Result<Option<Arc<dyn MakeTaskManagers>>, Failure> {
    let Some(Maker::Kubernetes) = args.maker else {
        return Ok(None);
    };
    if common.ha.is_none() || part.blobs.is_none() {
        return Err(bad(
            "--task-managers kubernetes needs --ha and --blobs: pods do not have your directories",
        ));
    }
    let address: Address = (options.ha.parse())
        .map_err(|error: incumbent::backend::BadAddress| bad(&error.to_string()))?;
    let in_kubernetes = Some(&address).filter(|address| address.scheme() == "kubernetes");
    let of_address = |name: &str| {
        let mut all = in_kubernetes?.options();
        all.find(|(it, _)| *it == name)
            .map(|(_, value)| value.to_owned())
    };
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let pods = PodsOptions {
        access: Access {
            kubeconfig: of_address("kubeconfig").map(PathBuf::from),
            context: of_address("context"),
        },
        namespace: (args.pod_namespace).or_else(|| text(in_kubernetes?.authority())),
        own_pod: std::env::var("POD_NAME")
            .ok()
            .filter(|name| !name.is_empty()),
        owner: args.pod_owner,
        template: args.pod_template.unwrap_or_default(),
        settings: PodSettings {
            name: args.pod_prefix.unwrap_or_else(|| {
                let cluster = in_kubernetes.and_then(|it| text(it.path().trim_matches('/')));
                cluster.unwrap_or_else(|| options.group.clone())
            }),
            image: args.task_manager_image,
            slots: args.slots_per_pod,
            resources: SlotResources {
                cpu: args.slot_cpu,
                memory: args.slot_memory,
            },
            env: variables(common, part, options),
            port: args.pod_port,
        },
        most: args.most_task_managers,
        idle_release: args.idle_release,
    };
    let opened = KubernetesPods::open(pods).await;
    let pods = opened.map_err(|error| bad(&causes(&error)))?;
    Ok(Some(Arc::new(pods)))
}

/// What a TaskManager is told of the cluster: the same as this JobManager.
fn variables(common: &Common, part: &PartArgs, options: &NodeOptions) -> BTreeMap<String, String> {
    let path = |path: &Option<PathBuf>| path.as_deref().and_then(Path::to_str).map(str::to_owned);
    let files = &part.tls.files;
    let all = [
        ("INCUMBENT_HA", Some(options.ha.clone())),
        ("INCUMBENT_BLOBS", Some(options.blobs.clone())),
        ("INCUMBENT_GROUP", Some(options.group.clone())),
        ("INCUMBENT_TOKEN_FILE", path(&part.token.token_file)),
        ("INCUMBENT_CERT", path(&files.cert)),
        ("INCUMBENT_KEY", path(&files.key)),
        ("INCUMBENT_CLIENT_CA", path(&files.client_ca)),
        ("INCUMBENT_CA", path(&part.tls.ca)),
        ("INCUMBENT_LOG", common.log.clone()),
    ];
    let given = all
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    given.collect()
}
