// Points of y^2 = x^3 + b: additions without exceptions.
// Source: Renes, Costello, Batina 2016, "Complete addition formulas for prime order elliptic curves", algorithms 7 and 8.
// Coordinates are homogeneous, x = X / Z and y = Y / Z; the identity is (0 : 1 : 0). Both curves have prime order, so the
// formulas hold for every pair of points: equal, opposite, or the identity. No branch depends on a point.
// import: field
// import: curve_constant

struct Affine { x: Field, y: Field }
struct Point { x: Field, y: Field, z: Field }

// In memory, canonical. (0, 0) stands for the identity; PointWords of zeros too, so that a cleared buffer holds identities.
struct AffineWords { x: Words, y: Words }
struct PointWords { x: Words, y: Words, z: Words }

fn point_identity() -> Point {
    return Point(Field(), field_one(), Field());
}

fn point_load(words: PointWords) -> Point {
    let y = words.y.low | words.y.high;
    // No point has Y = 0: there is none of order two.
    let empty = (y.x | y.y | y.z | y.w) == 0u;
    var p = Point(field_load(words.x), field_load(words.y), field_load(words.z));
    if empty {
        p = point_identity();
    }
    return p;
}

fn point_store(p: Point) -> PointWords {
    return PointWords(field_store(p.x), field_store(p.y), field_store(p.z));
}

// `p + q`, 11 multiplications (algorithm 8). `q` is not the identity.
fn point_add_affine(p: Point, q: Affine) -> Point {
    let xx = field_mul(p.x, q.x);
    let yy = field_mul(p.y, q.y);
    let xy = field_sub(field_mul(field_add(q.x, q.y), field_add(p.x, p.y)), field_add(xx, yy));
    let yz = field_add(field_mul(q.y, p.z), p.y);
    let xz = mul_3b(field_add(field_mul(q.x, p.z), p.x));
    let zz = mul_3b(p.z);
    let plus = field_add(yy, zz);
    let minus = field_sub(yy, zz);
    let xx3 = field_add(field_add(xx, xx), xx);
    return Point(
        field_sub(field_mul(xy, minus), field_mul(yz, xz)),
        field_add(field_mul(minus, plus), field_mul(xz, xx3)),
        field_add(field_mul(plus, yz), field_mul(xx3, xy)),
    );
}

// `p + q`, 12 multiplications (algorithm 7).
fn point_add(p: Point, q: Point) -> Point {
    let xx = field_mul(p.x, q.x);
    let yy = field_mul(p.y, q.y);
    let z_z = field_mul(p.z, q.z);
    let xy = field_sub(field_mul(field_add(p.x, p.y), field_add(q.x, q.y)), field_add(xx, yy));
    let yz = field_sub(field_mul(field_add(p.y, p.z), field_add(q.y, q.z)), field_add(yy, z_z));
    let xz = mul_3b(field_sub(field_mul(field_add(p.x, p.z), field_add(q.x, q.z)), field_add(xx, z_z)));
    let zz = mul_3b(z_z);
    let plus = field_add(yy, zz);
    let minus = field_sub(yy, zz);
    let xx3 = field_add(field_add(xx, xx), xx);
    return Point(
        field_sub(field_mul(xy, minus), field_mul(yz, xz)),
        field_add(field_mul(minus, plus), field_mul(xz, xx3)),
        field_add(field_mul(plus, yz), field_mul(xx3, xy)),
    );
}
