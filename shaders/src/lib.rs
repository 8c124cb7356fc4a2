//! The WGSL texts of Blindsum's kernels, and the resolver of their imports.
//!
//! One file of this folder is one pipeline stage; `lib/` holds functions without entry points. A kernel names what it
//! needs in lines of the form `// import: chacha20`; [`kernel`] puts those texts in front of it, each once. The texts
//! are plain WGSL: what a driver compiles is what is written in the files.
//!
//! ```
//! let text = blindsum_shaders::kernel("mask_expand")?;
//! assert!(text.contains("fn chacha20_block") && text.contains("fn mask_expand"));
//! # Ok::<(), blindsum_shaders::ImportError>(())
//! ```

#![forbid(unsafe_code)]

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
pub const KERNELS: &[Source] = &[source!("", "mask_expand"), source!("", "sum_rows")];

/// Every text that kernels may import.
pub const LIBRARY: &[Source] = &[source!("lib/", "chacha20")];

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

/// The whole text of a kernel, its imports in front.
///
/// # Errors
/// [`ImportError`], when there is no such kernel or one of its imports cannot be resolved.
pub fn kernel(name: &str) -> Result<String, ImportError> {
    let source = KERNELS
        .iter()
        .find(|source| source.name == name)
        .ok_or_else(|| ImportError::UnknownKernel { name: name.to_owned() })?;
    resolve(source, LIBRARY)
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
        assert_eq!(kernel("no such"), Err(ImportError::UnknownKernel { name: "no such".into() }));
    }

    /// The tables name exactly the files of the folders.
    #[test]
    fn no_file_is_forgotten() {
        for (folder, table) in [("", KERNELS), ("lib", LIBRARY)] {
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

    /// naga accepts every kernel without any feature beyond WebGPU's own, and finds the one entry point.
    #[test]
    fn every_kernel_is_valid_wgsl() {
        for source in KERNELS {
            let text = kernel(source.name).expect("imports resolve");
            let module = naga::front::wgsl::parse_str(&text)
                .unwrap_or_else(|error| panic!("{}: {}", source.name, error.emit_to_string(&text)));
            naga::valid::Validator::new(
                naga::valid::ValidationFlags::all(),
                naga::valid::Capabilities::empty(),
            )
            .validate(&module)
            .unwrap_or_else(|error| panic!("{}: {}", source.name, error.emit_to_string(&text)));
            let entries: Vec<&str> = module.entry_points.iter().map(|entry| entry.name.as_str()).collect();
            assert_eq!(entries, [source.name]);
        }
    }

    /// Comments state source and twin, as every kernel's head must.
    #[test]
    fn every_kernel_names_its_twin() {
        for source in KERNELS {
            let twin = format!("Twin: engine/src/cpu/{}.rs", source.name);
            assert!(source.text.contains(&twin), "{} does not name {twin}", source.name);
        }
    }
}
