//! How much larger a drawing becomes when all that it refers to is put in its place, as usvg does before anything can be seen of
//! it: ten patterns, each drawn ten times by the next, are ten thousand million shapes.

use std::collections::HashMap;

use resvg::usvg::roxmltree::{Document, Node, NodeId};

/// Elements within elements, and references within what is referred to.
const DEEPEST: usize = 500;
/// What is not drawn by itself, but again wherever it is referred to. `use` can draw anything again.
const REFERRED: &[&str] = &["pattern", "mask", "clipPath", "marker", "filter"];
const SHAPES: &[&str] =
    &["path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan"];

/// How many elements there are once everything was put in its place, at most; infinite where things lie too deep in each other.
pub(super) fn elements(document: &Document<'_>) -> f64 {
    let root = document.root_element();
    let named = document.descendants().filter_map(|node| Some((node.attribute("id")?, node)));
    let mut counter = Counter { named: named.collect(), known: HashMap::new(), styles: Vec::new() };
    let styles = document.descendants().filter(|node| node.tag_name().name() == "style");
    // A rule may hold for any element.
    let styles = styles.filter_map(|style| style.text());
    counter.styles = styles.flat_map(declarations).collect();
    let paint = counter.referred_by_rules(0);
    let form = counter.form(root, 0);
    form.own + form.shapes * paint + form.vertices * paint
}

/// How many elements a part of the drawing becomes: as many by itself, and so many more for each that is drawn for every shape
/// or vertex in it.
#[derive(Debug, Clone, Copy, Default)]
struct Form {
    own: f64,
    shapes: f64,
    vertices: f64,
}

impl Form {
    const ENDLESS: Self = Self { own: f64::INFINITY, shapes: 0.0, vertices: 0.0 };

    fn add(&mut self, other: Self) {
        self.own += other.own;
        self.shapes += other.shapes;
        self.vertices += other.vertices;
    }
}

/// A property, and the id that its value refers to.
type Reference<'a> = (&'a str, &'a str);

struct Counter<'a, 'input> {
    named: HashMap<&'a str, Node<'a, 'input>>,
    /// None while it is being counted: what refers to itself is drawn once.
    known: HashMap<NodeId, Option<Form>>,
    styles: Vec<Reference<'a>>,
}

impl<'a, 'input> Counter<'a, 'input> {
    fn form(&mut self, node: Node<'a, 'input>, depth: usize) -> Form {
        if depth > DEEPEST {
            return Form::ENDLESS;
        }
        if let Some(known) = self.known.get(&node.id()) {
            return known.unwrap_or_default();
        }
        self.known.insert(node.id(), None);
        let mut form = Form { own: 1.0, ..Form::default() };
        if SHAPES.contains(&node.tag_name().name()) {
            form.shapes = 1.0;
            let points = node.attribute("d").or(node.attribute("points"));
            // A vertex takes two characters at least.
            #[allow(clippy::cast_precision_loss)] // At most some millions.
            let vertices = points.map_or(2, |points| points.len() / 2 + 1) as f64;
            form.vertices = vertices;
        }
        for child in node.children().filter(Node::is_element) {
            // Drawn where it is referred to, and counted there.
            if !REFERRED.contains(&child.tag_name().name()) {
                let inner = self.form(child, depth + 1);
                form.add(inner);
            }
        }
        if let Some(target) = href(node).and_then(|id| self.named.get(id).copied()) {
            let again = self.form(target, depth + 1);
            form.add(again);
        }
        for (property, id) in references(node) {
            let weight = self.weight(id, depth + 1);
            form.own += match property {
                "fill" | "stroke" => form.shapes * weight,
                _ if property.starts_with("marker") => form.vertices * weight,
                _ => weight,
            };
        }
        self.known.insert(node.id(), Some(form));
        form
    }

    /// How many elements what has this id becomes where it is referred to. It inherits from what it lies in.
    fn weight(&mut self, id: &str, depth: usize) -> f64 {
        let Some(node) = self.named.get(id).copied() else { return 0.0 };
        if !REFERRED.contains(&node.tag_name().name()) {
            return 0.0;
        }
        let was_known = self.known.contains_key(&node.id());
        let form = self.form(node, depth);
        if was_known && self.known.get(&node.id()).is_some_and(Option::is_none) {
            return 0.0;
        }
        let mut weight = form.own;
        for above in node.ancestors().skip(1) {
            for (property, id) in references(above) {
                let inherited =
                    if property.starts_with("marker") { form.vertices } else { form.shapes };
                if inherited > 0.0 && depth < DEEPEST {
                    weight += inherited * self.weight(id, depth + 1);
                }
            }
        }
        weight + form.shapes * self.referred_by_rules(depth + 1)
    }

    /// What the rules of style sheets may put in the place of a shape.
    fn referred_by_rules(&mut self, depth: usize) -> f64 {
        if depth > DEEPEST {
            return if self.styles.is_empty() { 0.0 } else { f64::INFINITY };
        }
        let styles = self.styles.clone();
        styles.iter().map(|(_, id)| self.weight(id, depth + 1)).sum()
    }
}

/// What `use` draws, and what patterns and filters take the rest from.
fn href<'a>(node: Node<'a, '_>) -> Option<&'a str> {
    let value = node.attributes().find(|attribute| attribute.name() == "href")?.value();
    value.trim().strip_prefix('#')
}

/// What an element's attributes refer to.
fn references<'a>(node: Node<'a, '_>) -> Vec<Reference<'a>> {
    let mut found = Vec::new();
    for attribute in node.attributes() {
        if attribute.name() == "style" {
            found.extend(declarations(attribute.value()));
        } else if let Some(id) = referred(attribute.value()) {
            found.push((attribute.name(), id));
        }
    }
    found
}

/// What CSS's declarations refer to, in a list of them or in rules.
fn declarations(text: &str) -> impl Iterator<Item = Reference<'_>> {
    text.split(['{', '}', ';']).filter_map(|declaration| {
        let (property, value) = declaration.split_once(':')?;
        Some((property.trim(), referred(value)?))
    })
}

/// The id in `url(#id)`.
fn referred(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("url(")?;
    let (inner, _) = rest.split_once(')')?;
    inner.trim().trim_matches(['"', '\'']).trim().strip_prefix('#')
}
