//! Files made of coefficients, and what is to be seen in them: by the formulas of T.81 in floating point, and none of the decoder's code.

use std::f64::consts::{PI, SQRT_2};

/// A generator of numbers (Knuth, "The Art of Computer Programming", volume 2, 3.3.4), the same for the same seed.
#[derive(Clone)]
pub(super) struct Numbers(pub u64);

impl Numbers {
    /// From zero to less than `end`.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(end)) as u32
    }
}

/// A file.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub width: usize,
    pub height: usize,
    /// Sampling factors of luma; `None` of a grey picture.
    pub factors: Option<[usize; 2]>,
    pub restart: usize,
    pub seed: u64,
}

/// Coefficients of a block, by row and column of frequency, as they are after they are multiplied with the steps.
type Block = [[f64; 8]; 8];

/// The blocks of a component.
pub(super) struct Component {
    blocks: [usize; 2],
    across: usize,
    grid: Vec<Block>,
}

impl Component {
    /// The sample at a place at a scale of `n` eighths.
    pub(super) fn sample(&self, n: usize, x: usize, y: usize) -> f64 {
        let block = &self.grid[y / n * self.across + x / n];
        let wave = |k: usize, at: usize| {
            let scale = if k == 0 { 1.0 } else { SQRT_2 };
            scale * ((2 * at + 1) as f64 * k as f64 * PI / (2 * n) as f64).cos()
        };
        let sum: f64 = (0..n)
            .flat_map(|v| (0..n).map(move |u| (u, v)))
            .map(|(u, v)| block[v][u] * wave(u, x % n) * wave(v, y % n))
            .sum();
        (sum / 8.0 + 128.0).clamp(0.0, 255.0)
    }
}

/// Bits behind each other, with zeros after 0xff.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    bits: u64,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, length: u32) {
        self.bits = self.bits << length | u64::from(value);
        self.count += length;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.bits >> self.count) as u8;
            self.bytes.push(byte);
            self.bytes.extend((byte == 0xff).then_some(0));
        }
    }

    fn pad(&mut self) {
        let missing = (8 - self.count) % 8;
        self.put((1 << missing) - 1, missing);
    }
}

/// A Huffman table of all symbols there can be, in an order of its own: twelve codes of two to thirteen bits, the others of sixteen.
struct Codes {
    symbols: Vec<u8>,
}

impl Codes {
    const SHORT: usize = 12;

    fn new(mut symbols: Vec<u8>, numbers: &mut Numbers) -> Self {
        for index in (1..symbols.len()).rev() {
            symbols.swap(index, numbers.below(index as u32 + 1) as usize);
        }
        Self { symbols }
    }

    fn segment(&self, kind: u8) -> Vec<u8> {
        let mut body = vec![kind, 0];
        body.extend([1; Self::SHORT]);
        body.extend([0, 0, (self.symbols.len() - Self::SHORT) as u8]);
        body.extend(&self.symbols);
        segment(0xc4, &body)
    }

    /// A symbol, and bits behind it.
    fn put(&self, bits: &mut Bits, symbol: u8, value: i32) {
        let index = self.symbols.iter().position(|other| *other == symbol).unwrap() as u32;
        if index < Self::SHORT as u32 {
            // 00, 010, 0110, ...
            bits.put((1 << (index + 1)) - 2, index + 2);
        } else {
            bits.put(0x7ff8 + index - Self::SHORT as u32, 16);
        }
        let size = u32::from(symbol & 15);
        let lowest = if value < 0 { (1 << size) - 1 } else { 0 };
        bits.put((value + lowest) as u32, size);
    }
}

fn size_of(value: i32) -> u8 {
    (32 - value.unsigned_abs().leading_zeros()) as u8
}

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker], length.as_slice(), body].concat()
}

/// Places of coefficients, row and column, in zigzag order.
fn zigzag() -> Vec<(usize, usize)> {
    let mut places: Vec<_> =
        (0..8).flat_map(|row| (0..8).map(move |column| (row, column))).collect();
    places.sort_by_key(|(row, column)| {
        (row + column, if (row + column) % 2 == 0 { *column } else { *row })
    });
    places
}

impl Written {
    /// MCUs across and down.
    fn mcus(&self) -> [usize; 2] {
        let [wide, high] = self.factors.unwrap_or([1, 1]);
        [self.width.div_ceil(8 * wide), self.height.div_ceil(8 * high)]
    }

    /// The file, and what is in it.
    pub(super) fn write(&self) -> (Vec<u8>, Vec<Component>) {
        let mut numbers = Numbers(self.seed);
        let [across, down] = self.mcus();
        let factors = match self.factors {
            Some(luma) => vec![luma, [1, 1], [1, 1]],
            None => vec![[1, 1]],
        };
        let steps: [u8; 64] = std::array::from_fn(|_| numbers.below(6) as u8 + 1);
        let dc = Codes::new((0..12 + 4).collect(), &mut numbers);
        let runs =
            (0..=0xff).filter(|symbol| matches!(symbol, 0 | 0xf0) || matches!(symbol & 15, 1..=10));
        let ac = Codes::new(runs.collect(), &mut numbers);

        let mut file = vec![0xff, 0xd8];
        file.extend(segment(0xdb, &[&[0], steps.as_slice()].concat()));
        let (height, width) = (self.height as u16, self.width as u16);
        let mut frame = [&[8], height.to_be_bytes().as_slice(), &width.to_be_bytes()].concat();
        let mut scan = vec![factors.len() as u8];
        frame.push(factors.len() as u8);
        for (id, [wide, high]) in (1..).zip(&factors) {
            frame.extend([id, (wide << 4 | high) as u8, 0]);
            scan.extend([id, 0]);
        }
        scan.extend([0, 63, 0]);
        file.extend(segment(0xc0, &frame));
        file.extend(dc.segment(0x00));
        file.extend(ac.segment(0x10));
        file.extend(segment(0xdd, &(self.restart as u16).to_be_bytes()));
        file.extend(segment(0xda, &scan));

        let mut components: Vec<_> = factors
            .iter()
            .map(|&[wide, high]| Component {
                blocks: [wide, high],
                across: across * wide,
                grid: vec![[[0.0; 8]; 8]; across * wide * down * high],
            })
            .collect();
        let mut before = vec![0; components.len()];
        let mut bits = Bits::default();
        let order = zigzag();
        for mcu in 0..across * down {
            if self.restart > 0 && mcu > 0 && mcu % self.restart == 0 {
                bits.pad();
                bits.bytes.extend([0xff, 0xd0 + ((mcu / self.restart - 1) % 8) as u8]);
                before.fill(0);
            }
            for (component, before) in components.iter_mut().zip(&mut before) {
                let [wide, high] = component.blocks;
                for (y, x) in (0..high).flat_map(|y| (0..wide).map(move |x| (y, x))) {
                    let values = coefficients(&mut numbers);
                    put(&mut bits, &values, before, &dc, &ac);
                    let row = mcu / across * high + y;
                    let column = mcu % across * wide + x;
                    let block = &mut component.grid[row * component.across + column];
                    for ((value, step), (v, u)) in values.iter().zip(steps).zip(&order) {
                        block[*v][*u] = f64::from(*value) * f64::from(step);
                    }
                }
            }
        }
        bits.pad();
        file.extend(bits.bytes);
        file.extend([0xff, 0xd9]);
        (file, components)
    }
}

/// Coefficients in zigzag order: of some blocks few, of some many, of some the last.
fn coefficients(numbers: &mut Numbers) -> [i32; 64] {
    let mut values = [0; 64];
    let count = [1, 1, 3, 6, 10, 20, 64][numbers.below(7) as usize];
    let one_of = [1, 2, 5, 25][numbers.below(4) as usize];
    for (number, value) in values.iter_mut().enumerate().take(count) {
        if number == 0 || numbers.below(one_of) == 0 {
            let most = 300 / (number as u32 + 1) + 1;
            *value = numbers.below(2 * most + 1) as i32 - most as i32;
        }
    }
    if numbers.below(8) == 0 {
        values[63] = 1;
    }
    values
}

/// F.1.2: codes of a block.
fn put(bits: &mut Bits, values: &[i32; 64], before: &mut i32, dc: &Codes, ac: &Codes) {
    let difference = values[0] - *before;
    *before = values[0];
    dc.put(bits, size_of(difference), difference);
    let mut run = 0;
    for value in &values[1..] {
        if *value == 0 {
            run += 1;
            continue;
        }
        while run > 15 {
            ac.put(bits, 0xf0, 0);
            run -= 16;
        }
        ac.put(bits, run << 4 | size_of(*value), *value);
        run = 0;
    }
    if run > 0 {
        ac.put(bits, 0, 0);
    }
}
