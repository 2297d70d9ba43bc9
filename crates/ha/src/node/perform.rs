//! Performs what the election asks for, and publishes what came of it.

use std::sync::Arc;

use incumbent_core::election::{Action, Event};
use tokio::sync::oneshot;

use super::{Grant, Node, Setup, requests};
use crate::term::Term;

impl Node {
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::ReadRoot => self.request = Some(requests::read_root(&self.setup)),
            Action::ScanSeals => self.request = Some(requests::scan_seals(&self.setup)),
            Action::SwapRoot { expected, root } => {
                self.request = Some(requests::swap_root(&self.setup, expected, &root));
            }
            Action::SealFloor { seal } => {
                self.floor = Some(requests::seal_floor(&self.setup, seal))
            }
            Action::Granted { seal, vacancy } => {
                let (now, lease) = (self.setup.clock.time(), self.setup.config.timing.lease());
                let taken = self.story.granted(seal, vacancy, now, lease);
                let term = Arc::new(Term::new(seal, self.setup.clock));
                self.term = Some(Arc::clone(&term));
                self.ended = Some(term.lost());
                self.extend();
                let (sender, receiver) = oneshot::channel();
                let campaigner = self.campaigner.take();
                let work = sender;
                match campaigner.map(|campaigner| campaigner.send(Grant { term, taken, work })) {
                    Some(Ok(())) => {
                        self.work = Some(receiver);
                        self.working = Some(seal.nonce);
                        let Setup { backend, group, .. } = &self.setup;
                        self.presence = backend.appear(group, seal.nonce);
                    }
                    // The campaign was dropped at this very moment.
                    Some(Err(_)) | None => {
                        self.follow_ups.push_back(Event::Resign { prefer: None })
                    }
                }
            }
            Action::Lost { seal, why } => {
                self.story.lost(seal, &why);
                self.ended = None;
                self.floor = None;
                if let Some(term) = self.term.take() {
                    term.end(why.clone());
                }
                if let Some(done) = self.resigned.take() {
                    let _ = done.send(why);
                }
                let campaign = self.campaign();
                self.follow_ups.extend(campaign);
            }
            Action::Changed { ticket } => self.tell(ticket, true),
            Action::Refused { ticket } => self.tell(ticket, false),
            Action::AskedToResign { to } => {
                if let Some(term) = &self.term {
                    self.story.asked(to.as_ref());
                    term.ask(to);
                }
            }
        }
    }

    fn tell(&mut self, ticket: u64, changed: bool) {
        if let Some(done) = self.tickets.remove(&ticket) {
            // The receiver may be gone. The change stands.
            let _ = done.send(changed);
        }
    }

    /// Publishes the outcome of a step.
    pub(super) fn publish(&mut self) {
        self.extend();
        let view = self.election.view(self.setup.clock.time());
        self.story.view(&view, &self.election);
        self.setup.contact.set_leading(self.term.is_some());
        let view = self.election.is_informed().then_some(view);
        self.views.send_if_modified(|told| {
            let changed = *told != view;
            *told = view;
            changed
        });
        if let Some(server) = &self.server {
            server.say(
                self.election
                    .claimed()
                    .map(|seal| seal.nonce)
                    .or(self.working),
            );
        }
        self.aim_probe();
        self.watch_rival();
    }

    fn extend(&self) {
        if let (Some(term), Some(valid), Some(hard)) = (
            &self.term,
            self.election.valid_until(),
            self.election.hard_until(),
        ) {
            term.extend(valid, hard);
        }
    }
}
