//! Keeps the newest login, and gets a new one when it is over or was refused.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use incumbent_backend::{Pace, jitter};
use kube::Config;
use tokio::time::Instant;

use super::environment::Environment;
use super::kubeconfig::{Chosen, Files, User};
use super::login::{Identity, Login, Method, load};
use super::plugin::Plugin;
use super::secret::Unusable;

/// Pauses before a plugin or a file is asked again that gave nothing which the server accepts. The
/// first is short for a login that was renewed elsewhere just now.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The logins of one user.
pub(crate) struct Keeper {
    /// The server, without a user.
    target: Config,
    /// What the kubeconfig chose at the start.
    chosen: Chosen,
    /// Where the user is read again; `None` in a pod, whose token file is read instead.
    files: Option<Files>,
    environment: Environment,
    state: Mutex<State>,
}

struct State {
    user: User,
    newest: Option<Arc<Login>>,
    /// The newest login was refused.
    refused: bool,
    /// Why the last renewal gave none.
    trouble: Option<Unusable>,
    /// The one under way. It continues if the request that needed it is dropped.
    renewal: Option<Renewal>,
    /// A renewal has begun since the server last accepted a login.
    renewed: bool,
    /// Before which no other one begins.
    not_before: Option<Instant>,
    pace: Pace,
    /// Logins so far.
    count: u64,
}

type Renewal = Shared<BoxFuture<'static, Result<Arc<Login>, Unusable>>>;

impl Keeper {
    /// Checks what can be checked without running a plugin or asking a server.
    pub(crate) fn new(
        target: Config,
        chosen: Chosen,
        files: Option<Files>,
        environment: Environment,
    ) -> Result<Arc<Self>, Unusable> {
        let state = State {
            user: chosen.user.clone(),
            newest: None,
            refused: false,
            trouble: None,
            renewal: None,
            renewed: false,
            not_before: None,
            pace: Pace::new(FIRST_PAUSE, LONGEST_PAUSE),
            count: 0,
        };
        let keeper = Arc::new(Self {
            target,
            chosen,
            files,
            environment,
            state: Mutex::new(state),
        });
        let user = keeper.chosen.user.clone();
        if matches!(keeper.method(&user)?, (Method::Plugin, _)) {
            // Its certificate, if it gives one, is not known yet. All else can be checked.
            Identity::new(&user, keeper.user_name(), &Method::Plugin, None)?
                .client(&keeper.target, keeper.user_name())?;
        } else {
            let login = keeper.log_in(user, 0).now_or_never();
            let login = login.expect("only a plugin is waited for")?;
            keeper.state().newest = Some(Arc::new(login));
        }
        Ok(keeper)
    }

    /// The login for a request that is sent now.
    pub(crate) async fn login(self: &Arc<Self>) -> Result<Arc<Login>, Unusable> {
        let renewal = {
            let mut state = self.state();
            if let Some(newest) = &state.newest
                && !state.refused
                && !newest.lasts.is_over()
            {
                return Ok(Arc::clone(newest));
            }
            match &state.renewal {
                Some(renewal) => renewal.clone(),
                None if state.not_before.is_some_and(|start| Instant::now() < start) => {
                    return state.without_renewal();
                }
                None => {
                    let renewal = self.begin_renewal(&state);
                    state.renewal = Some(renewal.clone());
                    state.renewed = true;
                    renewal
                }
            }
        };
        renewal.await
    }

    /// The server has answered 401 to this login.
    pub(crate) fn refused(&self, login: &Login) {
        let mut state = self.state();
        if state.newest.as_ref().map(|it| it.number) == Some(login.number) && !state.refused {
            state.refused = true;
            // The first time a new one is fetched at once.
            if state.renewed {
                state.pause();
            }
        }
    }

    /// The server has accepted this login.
    pub(crate) fn accepted(&self, login: &Login) {
        let mut state = self.state();
        if state.newest.as_ref().map(|it| it.number) == Some(login.number) {
            state.refused = false;
            state.renewed = false;
            state.not_before = None;
            state.pace.reset();
        }
    }

    pub(crate) fn user_name(&self) -> &str {
        &self.chosen.user_name
    }

    /// Runs in its own task: a request may be dropped before a plugin has answered, and then the
    /// next request uses the answer.
    fn begin_renewal(self: &Arc<Self>, state: &State) -> Renewal {
        let keeper = Arc::clone(self);
        let (user, refused, number) = (state.user.clone(), state.refused, state.count + 1);
        let renewal = tokio::spawn(async move {
            let user = if refused {
                keeper.read_again(user)
            } else {
                user
            };
            let renewed = keeper.log_in(user.clone(), number).await;
            keeper.end_renewal(user, renewed)
        });
        let ended = renewal.map(|ended| {
            ended.unwrap_or_else(|_| Err(Unusable("the program is ending".to_owned())))
        });
        ended.boxed().shared()
    }

    fn end_renewal(
        &self,
        user: User,
        renewed: Result<Login, Unusable>,
    ) -> Result<Arc<Login>, Unusable> {
        let mut state = self.state();
        state.renewal = None;
        match renewed {
            Ok(login) => {
                let login = Arc::new(login);
                state.user = user;
                state.count = login.number;
                state.newest = Some(Arc::clone(&login));
                state.refused = false;
                state.trouble = None;
                Ok(login)
            }
            Err(trouble) => {
                state.pause();
                state.trouble = Some(trouble);
                state.without_renewal()
            }
        }
    }

    /// The user as the kubeconfig has it now, or as before if the file cannot be read: another
    /// program may be writing it. The context is not read again: it may name another cluster by
    /// now.
    fn read_again(&self, before: User) -> User {
        let read = self.files.as_ref().and_then(|files| files.read().ok());
        let read = read.flatten();
        read.and_then(|read| read.user(self.user_name()))
            .unwrap_or(before)
    }

    async fn log_in(&self, user: User, number: u64) -> Result<Login, Unusable> {
        let name = self.user_name();
        let (method, plugin) = self.method(&user)?;
        let header = method.header(name, plugin.as_ref()).await?;
        let identity = Identity::new(&user, name, &method, header.certificate)?;
        let newest = self.state().newest.clone();
        let client = match newest {
            Some(newest) if newest.identity == identity => newest.client.clone(),
            _ => identity.client(&self.target, name)?,
        };
        Ok(Login {
            number,
            header: header.value,
            client,
            identity,
            lasts: header.lasts,
        })
    }

    fn method(&self, user: &User) -> Result<(Method, Option<Plugin>), Unusable> {
        let method = Method::of(user, self.user_name())?;
        let plugin = match (&method, &user.exec) {
            (Method::Plugin, Some(exec)) => {
                let cluster = &self.chosen.cluster;
                let (data, file) = (
                    cluster.certificate_authority_data.as_ref(),
                    cluster.certificate_authority.as_deref(),
                );
                // Whether it can be read was checked when the server was.
                let authority = load(data, file).ok().flatten();
                let authority = authority.as_deref();
                let plugin = Plugin::new(exec, &self.chosen, authority, &self.environment)?;
                Some(plugin)
            }
            _ => None,
        };
        Ok((method, plugin))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The login while no renewal may begin. One that is refused or over is still used, because the
    /// server decides; without one, the reason is returned.
    fn without_renewal(&self) -> Result<Arc<Login>, Unusable> {
        match (&self.newest, &self.trouble) {
            (Some(newest), None) => Ok(Arc::clone(newest)),
            // Over, but not refused: the server may still accept it.
            (Some(newest), Some(_)) if !self.refused => Ok(Arc::clone(newest)),
            (_, Some(trouble)) => Err(trouble.clone()),
            (None, None) => Err(Unusable("there are no credentials yet".to_owned())),
        }
    }

    fn pause(&mut self) {
        let pause = self.pace.after_failure(jitter());
        self.not_before = Some(Instant::now() + pause);
    }
}
