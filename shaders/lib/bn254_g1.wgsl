// BN254 G1: y^2 = x^3 + 3.
// import: field

// `9 a`: three times the curve's constant.
fn mul_3b(a: Field) -> Field {
    let a2 = field_add(a, a);
    let a4 = field_add(a2, a2);
    return field_add(field_add(a4, a4), a);
}
