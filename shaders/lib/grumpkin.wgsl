// Grumpkin: y^2 = x^3 - 17.
// import: field

// `-51 a`: three times the curve's constant.
fn mul_3b(a: Field) -> Field {
    let a3 = field_add(field_add(a, a), a);
    let a6 = field_add(a3, a3);
    let a12 = field_add(a6, a6);
    let a24 = field_add(a12, a12);
    let a48 = field_add(a24, a24);
    return field_neg(field_add(a48, a3));
}
