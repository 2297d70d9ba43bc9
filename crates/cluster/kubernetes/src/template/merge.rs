//! The pod of one TaskManager.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource, ObjectFieldSelector, Pod,
    PodSpec, ResourceRequirements, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{
    CLUSTER_ID, CONTAINER, EPOCH, Particulars, PodSettings, SLOTS, SlotResources, TEMPLATE,
    Template,
};
use crate::quantity;

/// How long a pod may take to end: draining (60 s), the grace of what cannot be moved, and some
/// reserve.
const GRACE_SECONDS: i64 = 90;

/// The variable that says where tasks have their directories.
const TASKS_DIR: &str = "INCUMBENT_TASKS_DIR";

/// Where tasks have their directories if the template does not say.
const TASKS: (&str, &str) = ("incumbent-tasks", "/incumbent-tasks");

pub(super) fn merge(template: &Template, particulars: &Particulars<'_>) -> Pod {
    let Template {
        pod,
        settings,
        digest,
    } = template;
    let mut spec = pod.spec.clone().unwrap_or_default();
    spec.restart_policy = Some("Never".to_owned());
    spec.termination_grace_period_seconds
        .get_or_insert(GRACE_SECONDS);
    // A Service of ours would set variables that look like this program's own.
    spec.enable_service_links.get_or_insert(false);
    let mut container = taken(&mut spec);
    let has_tasks_dir = (container.env.iter().flatten()).any(|one| one.name == TASKS_DIR);
    complete(&mut container, settings);
    if !has_tasks_dir {
        add_tasks_dir(&mut spec, &mut container);
    }
    spec.containers.insert(0, container);
    let said = &pod.metadata;
    let mut labels = said.labels.clone().unwrap_or_default();
    let epoch = particulars.epoch.to_string();
    for (key, value) in [
        ("app.kubernetes.io/name", "incumbent"),
        ("app.kubernetes.io/managed-by", "incumbent"),
        ("app.kubernetes.io/component", "task-manager"),
        ("app.kubernetes.io/instance", settings.name.as_str()),
        (CLUSTER_ID, particulars.cluster),
        (EPOCH, epoch.as_str()),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    let mut annotations = said.annotations.clone().unwrap_or_default();
    annotations.insert(SLOTS.to_owned(), settings.slots.to_string());
    annotations.insert(TEMPLATE.to_owned(), digest.clone());
    Pod {
        metadata: ObjectMeta {
            name: Some(particulars.name.to_owned()),
            namespace: Some(particulars.namespace.to_owned()),
            labels: Some(labels),
            annotations: Some(annotations),
            owner_references: particulars.owner.map(|owner| vec![owner.clone()]),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        status: None,
    }
}

/// Our container, out of the template.
fn taken(spec: &mut PodSpec) -> Container {
    let at = spec.containers.iter().position(|one| one.name == CONTAINER);
    match at {
        Some(at) => spec.containers.remove(at),
        None => Container {
            name: CONTAINER.to_owned(),
            ..Container::default()
        },
    }
}

fn complete(container: &mut Container, settings: &PodSettings) {
    if container.image.as_ref().is_none_or(String::is_empty) {
        container.image.clone_from(&settings.image);
    }
    container.args = Some(vec!["task-manager".to_owned()]);
    container.env = Some(environment(container.env.take(), settings));
    resources(container, settings.slots, &settings.resources);
    let ports = container.ports.get_or_insert_default();
    if ports
        .iter()
        .all(|port| port.container_port != i32::from(settings.port))
    {
        ports.push(ContainerPort {
            name: Some("node".to_owned()),
            container_port: i32::from(settings.port),
            ..ContainerPort::default()
        });
    }
}

/// Ours first: a variable can use only those before it. One that the template sets otherwise is
/// the template's, in our place.
fn environment(given: Option<Vec<EnvVar>>, settings: &PodSettings) -> Vec<EnvVar> {
    let mut given = given.unwrap_or_default();
    let mut all = Vec::new();
    let fields = [
        ("POD_NAME", "metadata.name"),
        ("POD_IP", "status.podIP"),
        ("INCUMBENT_TASK_MANAGER_NAME", "metadata.name"),
    ];
    let fields = fields.map(|(name, path)| EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: None,
                field_path: path.to_owned(),
            }),
            ..EnvVarSource::default()
        }),
    });
    let plain = |name: &str, value: String| EnvVar {
        name: name.to_owned(),
        value: Some(value),
        value_from: None,
    };
    let listen = format!("$(POD_IP):{}", settings.port);
    let ours = fields.into_iter().chain([
        plain("INCUMBENT_SLOTS", settings.slots.to_string()),
        plain("INCUMBENT_NODE_LISTEN", listen),
    ]);
    let more = settings
        .env
        .iter()
        .map(|(name, value)| plain(name, value.clone()));
    for one in ours.chain(more) {
        let at = given.iter().position(|other| other.name == one.name);
        all.push(at.map_or(one, |at| given.remove(at)));
    }
    all.extend(given);
    all
}

fn resources(container: &mut Container, slots: u32, given: &SlotResources) {
    let all = |quantity: &Option<String>| {
        let all = quantity
            .as_ref()
            .and_then(|one| quantity::times(one, slots));
        all.map(Quantity)
    };
    let (cpu, memory) = (all(&given.cpu), all(&given.memory));
    if cpu.is_none() && memory.is_none() {
        return;
    }
    let said = container
        .resources
        .get_or_insert_with(ResourceRequirements::default);
    let mut add = |is_limit: bool, name: &str, quantity: Option<Quantity>| {
        let place: &mut Option<BTreeMap<String, Quantity>> = match is_limit {
            true => &mut said.limits,
            false => &mut said.requests,
        };
        if let Some(quantity) = quantity {
            place
                .get_or_insert_default()
                .insert(name.to_owned(), quantity);
        }
    };
    add(false, "cpu", cpu);
    add(false, "memory", memory.clone());
    add(true, "memory", memory);
}

/// A place for the tasks that goes with the pod.
fn add_tasks_dir(spec: &mut PodSpec, container: &mut Container) {
    let (volume, path) = TASKS;
    spec.volumes.get_or_insert_default().push(Volume {
        name: volume.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    });
    container
        .volume_mounts
        .get_or_insert_default()
        .push(VolumeMount {
            name: volume.to_owned(),
            mount_path: path.to_owned(),
            ..VolumeMount::default()
        });
    container.env.get_or_insert_default().push(EnvVar {
        name: TASKS_DIR.to_owned(),
        value: Some(path.to_owned()),
        value_from: None,
    });
}
