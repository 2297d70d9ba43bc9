//! TaskManagers that Kubernetes makes: real processes on a double of the API server, with a double
//! of the kubelets that starts the pods' commands.

mod faults;
mod roles;
mod running;
mod site;
