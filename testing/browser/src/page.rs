//! What a person sees on a page and does there.

use std::path::Path;

use serde_json::{Value, json};

use crate::browser::{Browser, text};

/// The key of an element in the protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Finds the element that a person means by a name: what can be used, is shown, and is labelled so.
/// What is labelled exactly so comes before what has the name in its label.
const NAMED: &str = "
    const [name] = arguments;
    const usable = 'a[href], button, summary, label, input, select, textarea, [role=button], [role=tab], \
        [role=menuitem], [role=option], [role=switch], [tabindex]:not([tabindex=\"-1\"])';
    const plain = text => (text ?? '').replace(/\\s+/g, ' ').trim();
    const labels = element => [
        element.getAttribute('aria-label'), element.innerText, element.value, element.placeholder,
        ...[...(element.labels ?? [])].map(label => label.innerText), element.title,
    ].map(plain);
    const top = [...document.querySelectorAll('dialog[open]')].pop() ?? document;
    const all = [...top.querySelectorAll(usable)].filter(e => e.checkVisibility({visibilityProperty: true}));
    // A label stands for what it labels, unless that is hidden.
    const target = e => e.tagName === 'LABEL' && e.control?.checkVisibility() ? e.control : e;
    const exact = all.find(e => labels(e).includes(name));
    const part = all.find(e => labels(e).some(label => label.includes(name)));
    const found = exact ?? part;
    return found ? target(found) : null;
";

/// Gives a file to an element, as if a person had dropped it there.
const DROP: &str = "
    const [selector, name, content] = arguments;
    const data = new DataTransfer();
    data.items.add(new File([content], name));
    const target = document.querySelector(selector);
    for (const kind of ['dragenter', 'dragover', 'drop']) {
        target.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
    }
";

impl Browser {
    /// The text that the page shows.
    #[track_caller]
    pub fn shown(&self) -> String {
        text(&self.run("return document.body?.innerText ?? ''", &[]))
    }

    /// The text that a frame of the page shows.
    #[track_caller]
    pub fn shown_in(&self, frame: &str) -> String {
        let find = || self.element(frame);
        let element = self.eventually(&format!("there is {frame}"), find);
        self.post("frame", &json!({"id": {ELEMENT: element}}));
        let shown = self.shown();
        self.post("frame", &json!({"id": null}));
        shown
    }

    /// Waits until the page shows these words.
    #[track_caller]
    pub fn see(&self, words: &str) {
        self.eventually(&format!("the page shows {words:?}"), || {
            self.shown().contains(words).then_some(())
        });
    }

    /// Waits until the page does not show these words any more.
    #[track_caller]
    pub fn see_no_more(&self, words: &str) {
        self.eventually(&format!("the page shows {words:?} no more"), || {
            (!self.shown().contains(words)).then_some(())
        });
    }

    /// How many elements match.
    #[track_caller]
    pub fn count(&self, selector: &str) -> usize {
        let count = self.run(
            "return document.querySelectorAll(arguments[0]).length",
            &[json!(selector)],
        );
        usize::try_from(count.as_u64().unwrap_or_default()).unwrap_or(usize::MAX)
    }

    /// Whether one of the elements that match has this text and no other.
    #[track_caller]
    pub fn has_text(&self, selector: &str, text: &str) -> bool {
        let script = "const [selector, text] = arguments; \
                      return [...document.querySelectorAll(selector)].some(e => e.innerText.trim() === text)";
        self.run(script, &[json!(selector), json!(text)]) == true
    }

    /// The text of the first element that matches, once there is one.
    #[track_caller]
    pub fn text_of(&self, selector: &str) -> String {
        self.eventually(&format!("there is {selector}"), || {
            let script = "return document.querySelector(arguments[0])?.innerText";
            self.run(script, &[json!(selector)])
                .as_str()
                .map(str::to_owned)
        })
    }

    /// Clicks what has this name: a link, a button, a field. Waits until it is there, and until
    /// nothing lies over it.
    #[track_caller]
    pub fn click(&self, name: &str) {
        self.act(
            &format!("{name:?} can be clicked"),
            || self.named(name),
            "click",
            &json!({}),
        );
    }

    /// Clicks the first element that matches.
    #[track_caller]
    pub fn click_on(&self, selector: &str) {
        let find = || self.element(selector);
        self.act(
            &format!("{selector} can be clicked"),
            find,
            "click",
            &json!({}),
        );
    }

    /// Whether there is something of this name to click.
    #[track_caller]
    pub fn has(&self, name: &str) -> bool {
        self.named(name).is_some()
    }

    /// Types into the field of this name, instead of what is in it.
    #[track_caller]
    pub fn fill(&self, name: &str, what: &str) {
        let find = || self.named(name);
        self.act(
            &format!("{name:?} can be cleared"),
            find,
            "clear",
            &json!({}),
        );
        self.act(
            &format!("{name:?} can be filled"),
            find,
            "value",
            &json!({"text": what}),
        );
    }

    /// Chooses a file of this machine in the first field that matches.
    #[track_caller]
    pub fn choose_file(&self, selector: &str, file: &Path) {
        let find = || self.element(selector);
        self.act(
            &format!("{selector} takes a file"),
            find,
            "value",
            &json!({"text": file}),
        );
    }

    /// Drops a file on the first element that matches.
    #[track_caller]
    pub fn drop_file(&self, selector: &str, name: &str, content: &str) {
        self.eventually(&format!("there is {selector}"), || self.element(selector));
        self.run(DROP, &[json!(selector), json!(name), json!(content)]);
    }

    /// Presses keys, wherever the focus is. Keys without a character are those of the protocol:
    /// `\u{E004}` is Tab, `\u{E007}` is Enter, `\u{E00C}` is Escape.
    #[track_caller]
    pub fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
            })
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]});
        self.post("actions", &actions);
    }

    /// What has the focus: its name or its text.
    #[track_caller]
    pub fn focus(&self) -> String {
        let script = "const e = document.activeElement; \
                      return e?.getAttribute('aria-label') ?? e?.innerText ?? ''";
        text(&self.run(script, &[]))
    }

    fn named(&self, name: &str) -> Option<String> {
        id(&self.run(NAMED, &[json!(name)]))
    }

    fn element(&self, selector: &str) -> Option<String> {
        let script = "return document.querySelector(arguments[0])";
        id(&self.run(script, &[json!(selector)]))
    }

    /// Does it until it is done: a page that is live may replace an element at any time.
    #[track_caller]
    fn act(&self, what: &str, find: impl Fn() -> Option<String>, action: &str, body: &Value) {
        self.eventually(what, || {
            let element = find()?;
            let path = format!("element/{element}/{action}");
            self.try_ask("POST", &path, Some(body)).ok()
        });
    }
}

fn id(element: &Value) -> Option<String> {
    element[ELEMENT].as_str().map(str::to_owned)
}
