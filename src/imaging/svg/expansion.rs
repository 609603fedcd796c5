//! How much larger a drawing becomes when all that it refers to is put in its place, as usvg does before anything can be seen of
//! it: ten patterns, each drawn ten times by the next, are ten thousand million shapes.

use std::{collections::HashMap, rc::Rc};

use resvg::usvg::roxmltree::{Document, Node, NodeId};
use simplecss::{AttributeOperator, DeclarationTokenizer, Element, PseudoClass, Rule, StyleSheet};

/// Elements within elements, and references within what is referred to.
const DEEPEST: usize = 250;
/// How often a rule of a style sheet is held against an element.
const MOST_MATCHES: usize = 20_000_000;
/// Bytes that are gone over while styles are read: simplecss counts lines and columns up to each name that it comes to.
const MOST_READ: usize = 1_000_000_000;
/// What is not drawn by itself, but wherever it is referred to. `use` can draw anything again.
const REFERRED: &[&str] = &["pattern", "mask", "clipPath", "marker", "filter"];
const SHAPES: &[&str] =
    &["path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan"];

/// How many elements there are once everything was put in its place, at most; infinite where things lie too deep in each other, or
/// styles are too long to be read and held against all elements.
pub(super) fn elements(document: &Document<'_>) -> f64 {
    let count = document.descendants().filter(Node::is_element).count();
    let sheets = document.descendants().filter(|node| node.tag_name().name() == "style");
    let sheets: Vec<&str> = sheets.filter_map(|style| style.text()).collect();
    let styles = document.descendants().filter_map(|node| node.attribute("style"));
    let reading = styles.chain(sheets.iter().copied()).fold(0_usize, |sum, text| {
        // What stands before or behind a name.
        let names = text.bytes().filter(|byte| b":.#{ ,>\n".contains(byte)).count();
        sum.saturating_add(text.len().saturating_mul(names))
    });
    if reading > MOST_READ {
        return f64::INFINITY;
    }
    let mut rules = StyleSheet::new();
    sheets.into_iter().for_each(|text| rules.parse_more(text));
    if rules.rules.len().saturating_mul(count) > MOST_MATCHES {
        return f64::INFINITY;
    }
    let mut rules = rules.rules;
    rules.retain(|rule| rule.declarations.iter().any(|said| referred(said.value).is_some()));
    let named = document.descendants().filter_map(|node| Some((node.attribute("id")?, node)));
    let (named, references) = (named.collect(), HashMap::new());
    let (forms, weights) = (HashMap::new(), HashMap::new());
    let mut counter = Counter { named, rules, references, forms, weights };
    counter.form(document.root_element(), 0).own
}

/// How many elements a part of the drawing becomes, and how many there are in it for each of which something else may be drawn.
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

    /// How often what `property` refers to is drawn, if the property is handed down to all shapes within.
    fn handed_down(&self, property: &str) -> Option<f64> {
        match property {
            "fill" | "stroke" => Some(self.shapes),
            _ if property.starts_with("marker") => Some(self.vertices),
            _ => None,
        }
    }
}

/// A property, and the id that its value refers to.
type Reference<'a> = (&'a str, &'a str);

struct Counter<'a, 'input> {
    named: HashMap<&'a str, Node<'a, 'input>>,
    /// Those that refer to something.
    rules: Vec<Rule<'a>>,
    references: HashMap<NodeId, Rc<[Reference<'a>]>>,
    /// What was found; nothing as long as it is looked for: what refers to itself is not drawn again.
    forms: HashMap<NodeId, Form>,
    weights: HashMap<NodeId, f64>,
}

impl<'a, 'input> Counter<'a, 'input> {
    fn form(&mut self, node: Node<'a, 'input>, depth: usize) -> Form {
        if depth > DEEPEST {
            return Form::ENDLESS;
        }
        if let Some(known) = self.forms.get(&node.id()) {
            return *known;
        }
        self.forms.insert(node.id(), Form::default());
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
                form.add(self.form(child, depth + 1));
            }
        }
        if let Some(target) = href(node).and_then(|id| self.named.get(id).copied()) {
            form.add(self.form(target, depth + 1));
        }
        for (property, id) in self.references(node).iter() {
            let times = form.handed_down(property).unwrap_or(1.0);
            if times > 0.0 {
                form.own += times * self.weight(id, depth + 1);
            }
        }
        self.forms.insert(node.id(), form);
        form
    }

    /// How many elements what has this id becomes where it is referred to. It inherits from what it lies in.
    fn weight(&mut self, id: &str, depth: usize) -> f64 {
        let node = self.named.get(id).copied();
        let Some(node) = node.filter(|node| REFERRED.contains(&node.tag_name().name())) else {
            return 0.0;
        };
        if let Some(known) = self.weights.get(&node.id()) {
            return *known;
        }
        self.weights.insert(node.id(), 0.0);
        let form = self.form(node, depth);
        let mut weight = form.own;
        for above in node.ancestors().skip(1).filter(Node::is_element) {
            for (property, id) in self.references(above).iter() {
                let times = form.handed_down(property).unwrap_or(0.0);
                if times > 0.0 {
                    weight += times * self.weight(id, depth + 1);
                }
            }
        }
        self.weights.insert(node.id(), weight);
        weight
    }

    /// What an element refers to: by its attributes, and by the rules that hold for it.
    fn references(&mut self, node: Node<'a, 'input>) -> Rc<[Reference<'a>]> {
        let rules = &self.rules;
        let found = self.references.entry(node.id()).or_insert_with(|| {
            let attributes = node.attributes().filter(|attribute| attribute.name() != "style");
            let attributes = attributes.map(|attribute| (attribute.name(), attribute.value()));
            let style = DeclarationTokenizer::from(node.attribute("style").unwrap_or_default());
            let rules = rules.iter().filter(|rule| rule.selector.matches(&Styled(node)));
            let declared = style.chain(rules.flat_map(|rule| rule.declarations.iter().copied()));
            let declared = declared.map(|declaration| (declaration.name, declaration.value));
            let said = attributes.chain(declared);
            said.filter_map(|(name, value)| Some((name, referred(value)?))).collect()
        });
        found.clone()
    }
}

/// What `use` draws, and what patterns and filters take the rest from.
fn href<'a>(node: Node<'a, '_>) -> Option<&'a str> {
    let value = node.attributes().find(|attribute| attribute.name() == "href")?.value();
    value.trim().strip_prefix('#')
}

/// The id in `url(#id)`.
fn referred(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("url(")?;
    let (inner, _) = rest.split_once(')')?;
    inner.trim().trim_matches(['"', '\'']).trim().strip_prefix('#')
}

/// An element as rules are held against it: as usvg does.
struct Styled<'a, 'input>(Node<'a, 'input>);

impl Element for Styled<'_, '_> {
    fn parent_element(&self) -> Option<Self> {
        self.0.parent_element().map(Self)
    }

    fn prev_sibling_element(&self) -> Option<Self> {
        self.0.prev_sibling_element().map(Self)
    }

    fn has_local_name(&self, name: &str) -> bool {
        self.0.tag_name().name() == name
    }

    fn attribute_matches(&self, name: &str, operator: AttributeOperator<'_>) -> bool {
        self.0.attribute(name).is_some_and(|value| operator.matches(value))
    }

    fn pseudo_class_matches(&self, class: PseudoClass<'_>) -> bool {
        matches!(class, PseudoClass::FirstChild) && self.prev_sibling_element().is_none()
    }
}
