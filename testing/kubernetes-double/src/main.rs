//! `kubernetes-double`: the double as a program, for use with `kubectl`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use incumbent_kubernetes_double::{
    Double, Fault, How, Kubelet, KubeletOptions, Match, Options, Rule,
};

/// A test double of the Kubernetes API server, in memory. A client without a token may do
/// everything: listen on loopback only.
#[derive(Parser, Debug)]
#[command(version)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8001")]
    listen: SocketAddr,
    /// Write a kubeconfig to this file; without this option, print it.
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// A namespace in addition to `default` and `kube-system`. May be repeated.
    #[arg(long)]
    namespace: Vec<String>,
    /// A user and a token, as USER=TOKEN. The user may do what the Roles bound to USER allow. May
    /// be repeated.
    #[arg(long, value_name = "USER=TOKEN", value_parser = user)]
    user: Vec<(String, String)>,
    /// As --user, for a user who may do everything.
    #[arg(long, value_name = "USER=TOKEN", value_parser = user)]
    admin: Vec<(String, String)>,
    /// Start the commands of pods as processes: an image and the program that it is. May be
    /// repeated; other images never come.
    #[arg(long, value_name = "IMAGE=PROGRAM", value_parser = image)]
    image: Vec<(String, PathBuf)>,
    /// The nodes on which pods run. `kubectl delete node NAME` cuts one off, with its pods.
    #[arg(long, value_name = "NAME", default_values = ["node-1", "node-2"])]
    node: Vec<String>,
    /// Where pods have their directories and logs.
    #[arg(long, value_name = "DIR", default_value = "kubelet-double")]
    dir: PathBuf,
    /// Seconds between bookmarks of a watch.
    #[arg(long, default_value_t = 60)]
    bookmark_every: u64,
    /// Delay every answer by this many milliseconds.
    #[arg(long, default_value_t = 0)]
    delay: u64,
}

fn image(text: &str) -> Result<(String, PathBuf), String> {
    let (image, program) = text.split_once('=').ok_or("it is not IMAGE=PROGRAM")?;
    let program = std::fs::canonicalize(program).map_err(|error| format!("{program}: {error}"))?;
    Ok((image.to_owned(), program))
}

fn user(text: &str) -> Result<(String, String), String> {
    let (user, token) = text.split_once('=').ok_or("it is not USER=TOKEN")?;
    Ok((user.to_owned(), token.to_owned()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut options = Options {
        listen: arguments.listen,
        bookmark_every: Duration::from_secs(arguments.bookmark_every.max(1)),
        ..Options::default()
    };
    options.namespaces.extend(arguments.namespace);
    let double = Double::start(options).await;
    for (user, token) in arguments.user {
        double.allow(&token, &user, Vec::new());
    }
    for (user, token) in arguments.admin {
        double.allow(&token, &user, vec![Rule::new("*", &["*"], &["*"])]);
    }
    if arguments.delay > 0 {
        let how = How::Delay {
            before: Duration::ZERO,
            after: Duration::from_millis(arguments.delay),
        };
        double.inject(Fault {
            on: Match::any(),
            skip: 0,
            times: None,
            how,
        });
    }
    let _kubelet = if arguments.image.is_empty() {
        None
    } else {
        let dir = std::path::absolute(&arguments.dir).unwrap_or(arguments.dir);
        let mut options = KubeletOptions::new(dir);
        options.nodes = arguments.node;
        options.images.extend(arguments.image);
        Some(Kubelet::start(&double, options))
    };
    eprintln!("kubernetes-double: listening on {}", double.url());
    match arguments.kubeconfig {
        None => print!("{}", double.kubeconfig(None)),
        Some(path) => {
            if let Err(error) = std::fs::write(&path, double.kubeconfig(None)) {
                eprintln!(
                    "kubernetes-double: {} cannot be written: {error}",
                    path.display()
                );
                return ExitCode::FAILURE;
            }
        }
    }
    match tokio::signal::ctrl_c().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kubernetes-double: no signals can be waited for: {error}");
            ExitCode::FAILURE
        }
    }
}
