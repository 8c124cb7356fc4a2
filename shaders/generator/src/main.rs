//! `cargo run -p blindsum-shader-generator`: writes `shaders/generated/`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../generated");
    std::fs::create_dir_all(&folder)?;
    for generated in blindsum_shader_generator::generate() {
        std::fs::write(folder.join(generated.file), generated.text)?;
    }
    Ok(())
}
