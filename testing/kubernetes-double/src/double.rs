//! The double, as its owner holds it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use serde_json::Value;
use tokio::sync::mpsc;

use crate::fault::{Fault, FaultId};
use crate::options::Options;
use crate::request::access::{Rule, User};
use crate::seen::Seen;
use crate::server::{Order, What, bind, serve};
use crate::store::Key;
use crate::store::object;
use crate::store::resource::Resource;
use crate::world::{World, now};

/// A running double of the API server. It stops when it is dropped.
///
/// It runs on a thread of its own: it answers while its test blocks, and a paused clock of the test
/// is not its clock.
#[derive(Debug)]
pub struct Double {
    world: Arc<World>,
    address: SocketAddr,
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Double {
    /// Starts a double.
    ///
    /// # Panics
    ///
    /// If the port cannot be had.
    #[expect(
        clippy::unused_async,
        reason = "where it is started may come to matter, and every test that starts one is async"
    )]
    pub async fn start(options: Options) -> Double {
        Double::start_now(options)
    }

    /// As [`Double::start`], where nothing is async.
    ///
    /// # Panics
    ///
    /// If the port cannot be had.
    pub fn start_now(options: Options) -> Double {
        let listen = options.listen;
        let world = Arc::new(World::new(options));
        // One order at a time: its sender waits for it.
        let (orders, received) = mpsc::channel(1);
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let served = world.clone();
        let thread = std::thread::Builder::new().name("kubernetes-double".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
            runtime.block_on(async {
                let socket = bind(listen).unwrap_or_else(|error| panic!("{listen} cannot be listened on: {error}"));
                let address = socket.local_addr().expect("a bound socket has an address");
                let serving = serve(served, socket, received);
                tokio::pin!(serving);
                // The first turn begins to listen.
                tokio::select! { biased; () = &mut serving => return, () = std::future::ready(()) => {} }
                // The caller waits for this.
                let _ = tell.send(address);
                serving.await;
            });
        });
        let thread = thread.expect("a thread starts");
        let address = told.recv().expect("the double listens");
        Double {
            world,
            address,
            orders: Some(orders),
            thread: Some(thread),
        }
    }

    /// What all requests share.
    pub(crate) fn world(&self) -> Arc<World> {
        Arc::clone(&self.world)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The text of a kubeconfig for it: namespace `default`, and the user with this token, or the
    /// administrator without one.
    pub fn kubeconfig(&self, token: Option<&str>) -> String {
        let user = token.map_or("{}".to_owned(), |token| format!("{{token: {token:?}}}"));
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: double\n\
             clusters: [{{name: double, cluster: {{server: \"{}\"}}}}]\n\
             users: [{{name: double, user: {user}}}]\n\
             contexts: [{{name: double, context: {{cluster: double, user: double, namespace: default}}}}]\n",
            self.url()
        )
    }

    /// Makes this token that of this user, who may do what these rules and the Roles bound to the
    /// user allow. Replaces an earlier user of the token. A service account is the user
    /// `system:serviceaccount:NAMESPACE:NAME`.
    pub fn allow(&self, user_token: &str, user: &str, rules: Vec<Rule>) {
        self.world
            .state()
            .users
            .allow(user_token, User::new(user, rules));
    }

    /// Revokes this token: requests with it are answered 401.
    pub fn forget(&self, user_token: &str) {
        self.world.state().users.forget(user_token);
    }

    /// Adds a fault, after the present ones.
    pub fn inject(&self, fault: Fault) -> FaultId {
        self.world.state().faults.inject(fault)
    }

    /// How many requests the fault has struck. 0 if it was removed.
    pub fn struck(&self, fault: FaultId) -> u32 {
        self.world.state().faults.struck(fault)
    }

    /// Removes one fault. Requests that hang because of it keep hanging.
    pub fn clear_fault(&self, fault: FaultId) {
        self.world.state().faults.remove(fault);
    }

    /// Removes all faults. Requests that hang keep hanging.
    pub fn clear_faults(&self) {
        self.world.state().faults.clear();
    }

    /// Refuses connections from now on, and cuts the present ones. The objects stay.
    pub fn go_down(&self) {
        self.order(What::GoDown);
    }

    /// Listens again on the same port.
    pub fn come_back(&self) {
        self.order(What::ComeBack);
    }

    /// Drops all history: a watch or an exact list from an earlier revision, and the next chunk of
    /// a list, get 410. Running watches continue; to have them refused, also call
    /// [`Double::cut_watches`].
    pub fn compact(&self) {
        self.world.with_store(crate::store::Store::compact);
    }

    /// Cuts the connections of all running watches.
    pub fn cut_watches(&self) {
        self.world.cut.send_modify(|count| *count += 1);
    }

    /// The requests so far, in the order in which they came.
    pub fn seen(&self) -> Vec<Seen> {
        self.world.state().log.all()
    }

    /// Forgets the requests so far.
    pub fn forget_seen(&self) {
        self.world.state().log.forget();
    }

    /// An object, as it is kept. `resource` is the plural; `namespace` is empty for a namespace.
    pub fn object(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        self.world
            .state()
            .store
            .get(&place(resource, namespace, name))
            .map(|it| (*it).clone())
    }

    /// How many there are. An empty namespace is all.
    pub fn count(&self, resource: &str, namespace: &str) -> usize {
        self.world
            .state()
            .store
            .list(kind(resource), namespace)
            .count()
    }

    /// The newest revision.
    pub fn revision(&self) -> u64 {
        self.world.state().store.revision()
    }

    /// Writes an object past all rules but its form, as another program with all rights. System
    /// fields that it leaves out are kept, or created. Returns the stored object.
    ///
    /// # Panics
    ///
    /// If the object does not have the form of its kind.
    pub fn put_by_hand(&self, resource: &str, namespace: &str, name: &str, object: Value) -> Value {
        let key = place(resource, namespace, name);
        let mut object = object::formed(kind(resource), object, false)
            .unwrap_or_else(|refusal| panic!("{}", refusal.message));
        object["metadata"]["name"] = Value::from(name);
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = Value::from(namespace);
        }
        let now = now();
        self.world.with_store(|store| {
            let before = store.get(&key);
            let old = |field: &str| before.as_ref().map(|it| it["metadata"][field].clone());
            for (field, new) in [("uid", now.uid), ("creationTimestamp", now.time)] {
                if object["metadata"][field].is_null() {
                    object["metadata"][field] = old(field).unwrap_or_else(|| Value::from(new));
                }
            }
            crate::act::write::committed(store, key, object)
        })
    }

    /// Their names, in order.
    pub fn names(&self, resource: &str, namespace: &str) -> Vec<String> {
        let state = self.world.state();
        let all = state.store.list(kind(resource), namespace);
        all.map(|(key, _)| key.name.clone()).collect()
    }

    /// Deletes an object as a client with all rights does: a pod on a node is given time to end.
    /// Returns whether there was one.
    pub fn delete(&self, resource: &str, namespace: &str, name: &str) -> bool {
        let (key, now) = (place(resource, namespace, name), now());
        self.world.with_store(|store| {
            let Some(object) = store.get(&key) else {
                return false;
            };
            let options = Value::Null;
            crate::act::delete::remove(store, kind(resource), key, &object, &options, &now).is_ok()
        })
    }

    /// Removes an object past all rules. Returns it if there was one.
    pub fn delete_by_hand(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = place(resource, namespace, name);
        self.world.with_store(|store| {
            let object = store.get(&key)?;
            store.commit(key, None);
            Some((*object).clone())
        })
    }

    fn order(&self, what: What) {
        let (done, waited) = std::sync::mpsc::sync_channel(1);
        let mut order = Order { what, done };
        let orders = self
            .orders
            .as_ref()
            .expect("it is there until it is dropped");
        // Full only while another order is carried out, for a short time.
        while let Err(refused) = orders.try_send(order) {
            order = match refused {
                mpsc::error::TrySendError::Full(order) => order,
                mpsc::error::TrySendError::Closed(_) => panic!("the double's thread has ended"),
            };
            std::thread::yield_now();
        }
        waited
            .recv()
            .expect("the double's thread carries out orders")
            .expect("the port is the double's");
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn kind(resource: &str) -> &'static Resource {
    Resource::of_plural(resource).unwrap_or_else(|| panic!("the double has no {resource}"))
}

fn place(resource: &str, namespace: &str, name: &str) -> Key {
    Key::new(kind(resource), namespace, name)
}
