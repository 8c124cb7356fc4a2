//! The WGSL texts of Blindsum's kernels, and the resolver of their imports.
//!
//! One file of this folder is one pipeline stage; `lib/` holds functions without entry points, `generated/` the field
//! arithmetic that `generator/` writes, `probes/` kernels that test and time that arithmetic by itself. A kernel names
//! what it needs in lines of the form `// import: chacha20`; [`kernel`] puts those texts in front of it, each once. The
//! texts are plain WGSL: what a driver compiles is what is written in the files.
//!
//! Two imports stand for one of several texts, which [`Arithmetic`] picks: `field` and `curve_constant`.
//!
//! ```
//! use blindsum_shaders::{Arithmetic, Field, Limbs};
//!
//! let text = blindsum_shaders::kernel("mask_expand", None)?;
//! assert!(text.contains("fn chacha20_block") && text.contains("fn mask_expand"));
//! let over = Arithmetic { field: Field::Fq, limbs: Limbs::U64x8 };
//! let text = blindsum_shaders::kernel("msm_accumulate", Some(over))?;
//! assert!(text.contains("fn field_mul") && text.contains("fn point_add_affine"));
//! # Ok::<(), blindsum_shaders::ImportError>(())
//! ```

#![forbid(unsafe_code)]

use core::fmt;

use thiserror::Error;

/// A named WGSL text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Name of the file without its ending; for a kernel also of its entry point.
    pub name: &'static str,
    /// The text as it is in the file.
    pub text: &'static str,
}

macro_rules! source {
    ($folder:literal, $name:literal) => {
        Source { name: $name, text: include_str!(concat!("../", $folder, $name, ".wgsl")) }
    };
}

/// Every kernel: one compute entry point of the file's name.
pub const KERNELS: &[Source] = &[
    source!("", "mask_expand"),
    source!("", "msm_accumulate"),
    source!("", "msm_histogram"),
    source!("", "msm_merge"),
    source!("", "msm_points"),
    source!("", "msm_reduce"),
    source!("", "msm_scalars"),
    source!("", "msm_scan"),
    source!("", "msm_scan_add"),
    source!("", "msm_scatter"),
    source!("", "ntt_dif"),
    source!("", "ntt_dit"),
    source!("", "ntt_quotient"),
    source!("", "sum_rows"),
];

/// Kernels that run the arithmetic by itself, for tests and for its throughput.
pub const PROBES: &[Source] = &[source!("probes/", "probe_field"), source!("probes/", "probe_point")];

/// Every text that kernels may import.
pub const LIBRARY: &[Source] = &[
    source!("lib/", "chacha20"),
    source!("lib/", "curve"),
    source!("lib/", "digits"),
    source!("lib/", "ntt"),
];

/// What `curve_constant` stands for.
const CURVES: &[Source] = &[source!("lib/", "bn254_g1"), source!("lib/", "grumpkin")];

/// What `field` stands for.
pub const GENERATED: &[Source] = &[
    source!("generated/", "fq_l13x20"),
    source!("generated/", "fq_u64x8"),
    source!("generated/", "fr_l13x20"),
    source!("generated/", "fr_u64x8"),
];

/// A prime field of BN254, and with it the curve whose coordinates it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// Modulo `q`: coordinates of BN254 G1, scalars of Grumpkin.
    Fq,
    /// Modulo `r`: coordinates of Grumpkin, scalars of BN254 G1.
    Fr,
}

/// How an element lies in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limbs {
    /// Eight limbs of 32 bits with products of 64 bits; needs 64-bit integers in shaders. R = 2^256.
    U64x8,
    /// Twenty limbs of 13 bits in 32-bit words; runs everywhere. R = 2^260.
    L13x20,
}

/// What the imports `field` and `curve_constant` of a kernel stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arithmetic {
    /// The field, and the curve over it.
    pub field: Field,
    /// The limbs.
    pub limbs: Limbs,
}

impl Field {
    /// Both fields.
    pub const ALL: [Self; 2] = [Self::Fq, Self::Fr];
}

impl Limbs {
    /// Both variants.
    pub const ALL: [Self; 2] = [Self::U64x8, Self::L13x20];
}

impl Arithmetic {
    /// Every combination.
    pub fn all() -> impl Iterator<Item = Self> {
        Field::ALL
            .into_iter()
            .flat_map(|field| Limbs::ALL.into_iter().map(move |limbs| Self { field, limbs }))
    }

    /// The texts behind `field` and `curve_constant`, under those names.
    fn bound(self) -> [Source; 2] {
        let (curve, texts) = match self.field {
            Field::Fq => (CURVES[0], [GENERATED[1], GENERATED[0]]),
            Field::Fr => (CURVES[1], [GENERATED[3], GENERATED[2]]),
        };
        let field = match self.limbs {
            Limbs::U64x8 => texts[0],
            Limbs::L13x20 => texts[1],
        };
        [Source { name: "field", ..field }, Source { name: "curve_constant", ..curve }]
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fq => "fq",
            Self::Fr => "fr",
        })
    }
}

impl fmt::Display for Limbs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::U64x8 => "u64x8",
            Self::L13x20 => "l13x20",
        })
    }
}

impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.field, self.limbs)
    }
}

/// Why a kernel's text cannot be put together.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ImportError {
    /// No kernel has this name.
    #[error("no kernel is named {name}")]
    UnknownKernel {
        /// The name asked for.
        name: String,
    },
    /// An import names no text of the library.
    #[error("{importer}, line {line}: no library text is named {import}")]
    UnknownImport {
        /// The text with the import.
        importer: String,
        /// Line of the import, from 1.
        line: usize,
        /// The name asked for.
        import: String,
    },
    /// An import line without exactly one name.
    #[error("{importer}, line {line}: an import names one text: `// import: chacha20`")]
    Malformed {
        /// The text with the import.
        importer: String,
        /// Line of the import, from 1.
        line: usize,
    },
    /// Library texts import each other in a circle.
    #[error("{import} imports itself by way of {importer}")]
    Circle {
        /// The text that closes the circle.
        importer: String,
        /// The text it imports.
        import: String,
    },
}

/// The whole text of a kernel or probe, its imports in front.
///
/// # Errors
/// [`ImportError`], when there is no such kernel or one of its imports cannot be resolved: `field` and `curve_constant`
/// are unknown without `arithmetic`.
pub fn kernel(name: &str, arithmetic: Option<Arithmetic>) -> Result<String, ImportError> {
    let source = KERNELS
        .iter()
        .chain(PROBES)
        .find(|source| source.name == name)
        .ok_or_else(|| ImportError::UnknownKernel { name: name.to_owned() })?;
    let mut library = LIBRARY.to_vec();
    library.extend(arithmetic.into_iter().flat_map(Arithmetic::bound));
    resolve(source, &library)
}

/// Puts the texts that `source` imports from `library`, and those that they import, in front of it, each once.
///
/// # Errors
/// [`ImportError`], when an import is malformed, unknown or circular.
pub fn resolve(source: &Source, library: &[Source]) -> Result<String, ImportError> {
    let mut text = String::new();
    append(source, library, &mut Vec::new(), &mut Vec::new(), &mut text)?;
    Ok(text)
}

/// Depth first: a text comes after everything that it imports.
fn append(
    source: &Source,
    library: &[Source],
    open: &mut Vec<&'static str>,
    done: &mut Vec<&'static str>,
    text: &mut String,
) -> Result<(), ImportError> {
    open.push(source.name);
    for (at, line) in source.text.lines().enumerate() {
        let Some(names) = line.trim().strip_prefix("// import:") else { continue };
        let (importer, line) = (source.name.to_owned(), at + 1);
        let mut names = names.split_whitespace();
        let (Some(import), None) = (names.next(), names.next()) else {
            return Err(ImportError::Malformed { importer, line });
        };
        let Some(found) = library.iter().find(|source| source.name == import) else {
            return Err(ImportError::UnknownImport { importer, line, import: import.to_owned() });
        };
        if open.contains(&found.name) {
            return Err(ImportError::Circle { importer, import: import.to_owned() });
        }
        if !done.contains(&found.name) {
            append(found, library, open, done, text)?;
        }
    }
    open.pop();
    done.push(source.name);
    text.push_str(source.text);
    text.push('\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Source = Source { name: "a", text: "// import: b\n// import: c\nfn a() {}\n" };
    const B: Source = Source { name: "b", text: "// import: c\nfn b() {}\n" };
    const C: Source = Source { name: "c", text: "fn c() {}\n" };

    #[test]
    fn imports_come_first_and_once() {
        let text = resolve(&A, &[B, C]).expect("both are there");
        assert_eq!(text.matches("fn c()").count(), 1);
        let at = |what: &str| text.find(what).expect("in the text");
        assert!(at("fn c()") < at("fn b()") && at("fn b()") < at("fn a()"));
    }

    #[test]
    fn errors_name_text_and_line() {
        let error = |text, library: &[Source]| resolve(&Source { name: "k", text }, library).unwrap_err();
        assert_eq!(
            error("fn k() {}\n// import: nothing\n", &[C]),
            ImportError::UnknownImport { importer: "k".into(), line: 2, import: "nothing".into() }
        );
        for text in ["// import:\n", "// import: c b\n"] {
            assert_eq!(error(text, &[B, C]), ImportError::Malformed { importer: "k".into(), line: 1 });
        }
        let circle =
            [Source { name: "d", text: "// import: e\n" }, Source { name: "e", text: "// import: d\n" }];
        assert_eq!(
            error("// import: d\n", &circle),
            ImportError::Circle { importer: "e".into(), import: "d".into() }
        );
        assert_eq!(kernel("no such", None), Err(ImportError::UnknownKernel { name: "no such".into() }));
    }

    /// The tables name exactly the files of the folders.
    #[test]
    fn no_file_is_forgotten() {
        let lib = [LIBRARY, CURVES].concat();
        for (folder, table) in [("", KERNELS), ("lib", &lib), ("generated", GENERATED), ("probes", PROBES)] {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let mut files: Vec<String> = std::fs::read_dir(path)
                .expect("the folder of texts")
                .map(|entry| entry.expect("a readable entry").file_name().to_string_lossy().into_owned())
                .filter_map(|name| name.strip_suffix(".wgsl").map(str::to_owned))
                .collect();
            files.sort();
            let mut names: Vec<&str> = table.iter().map(|source| source.name).collect();
            names.sort_unstable();
            assert_eq!(files, names, "shaders/{folder}");
        }
    }

    /// Each combination has its own text, under the name that its `Display` gives.
    #[test]
    fn arithmetic_names_its_text() {
        for arithmetic in Arithmetic::all() {
            let file = arithmetic.to_string().replace('/', "_");
            let expected = GENERATED.iter().find(|source| source.name == file).expect("a text of that name");
            assert_eq!(arithmetic.bound()[0].text, expected.text, "{arithmetic}");
        }
    }

    /// Every kernel over every arithmetic that it imports; those that import none, once.
    fn every_text() -> Vec<(&'static str, Option<Arithmetic>, String)> {
        let mut texts = Vec::new();
        for source in KERNELS.iter().chain(PROBES) {
            match kernel(source.name, None) {
                Ok(text) => texts.push((source.name, None, text)),
                Err(_) => texts.extend(Arithmetic::all().map(|arithmetic| {
                    let text = kernel(source.name, Some(arithmetic)).expect("imports resolve");
                    (source.name, Some(arithmetic), text)
                })),
            }
        }
        texts
    }

    /// naga accepts every kernel over every field and limb variant, and finds the one entry point; 64-bit integers are all
    /// that any needs beyond WebGPU itself, and only in the variant that says so.
    #[test]
    fn every_kernel_is_valid_wgsl() {
        let texts = every_text();
        assert!(texts.len() > KERNELS.len() + PROBES.len());
        for (name, arithmetic, text) in texts {
            let what =
                arithmetic.map_or_else(|| name.to_owned(), |arithmetic| format!("{name} over {arithmetic}"));
            let capabilities = match arithmetic {
                Some(Arithmetic { limbs: Limbs::U64x8, .. }) => naga::valid::Capabilities::SHADER_INT64,
                _ => naga::valid::Capabilities::empty(),
            };
            let module = naga::front::wgsl::parse_str(&text)
                .unwrap_or_else(|error| panic!("{what}: {}", error.emit_to_string(&text)));
            naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities)
                .validate(&module)
                .unwrap_or_else(|error| panic!("{what}: {}", error.emit_to_string(&text)));
            let entries: Vec<&str> = module.entry_points.iter().map(|entry| entry.name.as_str()).collect();
            assert_eq!(entries, [name]);
        }
    }

    /// Comments state source and twin, as every kernel's head must. Stages of one operation share its twin.
    #[test]
    fn every_kernel_names_its_twin() {
        for source in KERNELS {
            let operation = match source.name.split_once('_') {
                Some((operation @ ("msm" | "ntt"), _)) => operation,
                _ => source.name,
            };
            let twin = format!("Twin: engine/src/cpu/{operation}.rs");
            assert!(source.text.contains(&twin), "{} does not name {twin}", source.name);
        }
    }
}
