"""Paint ``seed.jpg``: an evening lake below mountains and cumulus towers, out of pure noise.

The sun is low, out of frame on the left. ``clouds`` marches its light through heaps of billowed
puffs, so they shade themselves; ``terrain`` draws ridged, domain-warped land in perspective with
woods, cast shadows and haze; ``lake`` mirrors all that in ripples; ``meadow`` strokes grass,
flowers and trees. Seeds are fixed, so every run paints the same picture, in some ten seconds.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

W, H, HORIZON = 960, 600, 372
ANGLES = np.random.default_rng(5).uniform(0, 2 * np.pi, (256, 256)).astype(np.float32)
GRAD_X, GRAD_Y = np.cos(ANGLES), np.sin(ANGLES)
SUN, HAZE = np.array([[1.50, 0.98, 0.52], [0.80, 0.66, 0.68]], np.float32)


def step(a, b, x):  # a smooth ramp from 0 at a to 1 at b
    t = np.clip((x - a) / (b - a), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a, b, t):  # blend two colours, or pictures, by a weight without a colour axis
    return a + (np.asarray(b, np.float32) - a) * np.asarray(t, np.float32)[..., None]


def fbm(x, y, octaves, gain=0.5, ridged=False):
    """Sum octaves of gradient noise; ``ridged`` folds each into crests (then 0 to 1)."""
    total, norm = 0, 0
    for o in range(octaves):
        px, py, noise = x * 2.03**o + 17.3 * o, y * 2.03**o - 9.1 * o, 0
        xi, yi = np.floor(px).astype(np.int32), np.floor(py).astype(np.int32)
        xf, yf = (px - xi).astype(np.float32), (py - yi).astype(np.float32)
        u, v = (t**3 * (t * (t * 6 - 15) + 10) for t in (xf, yf))
        for i, j in np.ndindex(2, 2):
            k, weight = ((xi + i) & 255, (yi + j) & 255), abs(1 - i - u) * abs(1 - j - v)
            noise = noise + weight * (GRAD_X[k] * (xf - i) + GRAD_Y[k] * (yf - j))
        total = total + gain**o * ((1 - 1.9 * np.abs(noise)) ** 2 if ridged else noise)
        norm += gain**o
    return total / norm if ridged else total


def clouds(picture, heaps, height, size, seed):
    """Pile up cumulus ``heaps`` (x, base, width, tower), light them and lay them over the sky."""
    rng, dz, shape = np.random.default_rng(seed), 4, (height, W, 72)
    field, base = np.full(shape, -2 * size, np.float32), max(h[1] for h in heaps)
    y, x, z = np.ogrid[0:height, 0:W, 0 : 72 * dz : dz]
    for hx, hy, width, tower in heaps:
        for u in rng.normal(0, 0.42, int(26 * width / (width * 0.3 + tower * 0.5))):
            cy, cz = hy - tower * np.exp(-2.2 * u * u) * rng.uniform(0.1, 1), rng.uniform(104, 184)
            cx, r = hx + u * width, size * rng.uniform(0.4, 1.1) * (1 - 0.35 * abs(u))
            b = tuple(slice(max(0, int(q - 2 * r)), max(0, int(q + 2 * r))) for q in (cy, cx))
            dist = np.sqrt((y[b[0]] - cy) ** 2 * 1.25 + (x[:, b[1]] - cx) ** 2 + (z - cz) ** 2)
            field[b] = np.maximum(field[b], r - dist)
    for o, amp in enumerate((0.50, 0.30, 0.18, 0.11, 0.065)):  # billows, on cubic B-splines
        s = size * 0.8 / 2**o
        scale = s, s, max(s / dz, 1.2)
        noise = rng.standard_normal([int(n / q) + 4 for n, q in zip(shape, scale, strict=True)])
        for axis in (2, 0, 1):
            d = np.arange(shape[axis])[:, None] / scale[axis] + 1
            d = np.abs(d - np.arange(noise.shape[axis]))
            d = np.where(d < 1, 2 / 3 - d**2 + d**3 / 2, np.clip(2 - d, 0, 2) ** 3 / 6)
            d, noise = d.astype(np.float32), noise.astype(np.float32)
            noise = np.moveaxis(np.tensordot(d, noise, (1, axis)), 0, axis)
        field += size * amp * (np.abs(noise) * 1.7 - 0.42)
    rho = np.clip((field - 2.2 * np.maximum(y - base, 0)) / (size * 0.14), 0, 1).astype(np.float32)
    shade, tau = np.empty(shape, np.float32), np.zeros((height, 72), np.float32)
    for c in range(W):  # march the light to the right, a little down and away from the eye
        tau[1:] += 0.30 * (tau[:-1] - tau[1:])
        tau[:, 1:] += 0.10 * (tau[:, :-1] - tau[:, 1:])
        shade[:, c] = tau
        tau = tau * 0.997 + rho[:, c] / size
    opacity = 1 - np.exp(-rho * dz * 9 / size)
    clear = np.cumprod(1 - opacity, axis=2)
    lit = -np.diff(clear, axis=2, prepend=1) * (0.75 * np.exp(-6 * shade) + 0.25 * np.exp(-shade))
    alpha, up = 1 - clear[..., -1:], step(base + 10, base - 220, np.arange(height))[:, None]
    air = mix(np.array([0.46, 0.33, 0.38]), [0.27, 0.37, 0.54], up)
    picture[:height] = picture[:height] * (1 - alpha) + lit.sum(2)[..., None] * SUN + alpha * air


def terrain(picture):
    """Draw the land in perspective; return which pixels it covers (not the sky or the lake)."""
    eye, focal, rows = 11, 900, 1150
    z, cols = np.geomspace(320, 15000, rows, dtype=np.float32)[:, None], np.arange(W)
    x, dx = (cols[None] - W / 2).astype(np.float32) * z / focal, z / focal
    wx, wz = x + 160 * fbm(x / 700, z / 700, 3), z + 160 * fbm(x / 700 + 40, z / 700, 3)
    peaks = fbm(wx / 3300 + 3.1, wz / 3300 + 0.4, 8, 0.42, ridged=True)
    h = step(2600, 8500, wz) * (110 + 1000 * peaks**1.5 + 0.07 * np.abs(wx - 300)) - 24
    shore = step(1300, 3000, wz + 1.1 * np.abs(wx + 100)) * step(500, 1500, wz)
    h += 250 * shore * (0.42 + fbm(wx / 800 + 8, wz / 800, 8, 0.46))
    glade = step(-0.12, 0.12, fbm(x / 260, z / 260, 5))  # woods on 1, pasture on 0
    h += 32 * np.abs(fbm(x / 26, z / 40, 3)) * step(390, 130, h) * step(2, 16, h) * glade
    top = h.copy()
    for c in range(1, W):  # the upper edge of the shadows, falling from left to right
        top[:, c] = np.maximum(top[:, c], top[:, c - 1] - 0.30 * dx[:, 0])
    slope = np.gradient(h, axis=1) / dx + 0.17 * np.gradient(h, axis=0) / np.gradient(z, axis=0)
    light = np.clip(0.32 + 0.9 * slope, 0, 1.3) * step(30, 0, top - h)
    green = mix(np.array([0.42, 0.36, 0.15]), [0.18, 0.23, 0.11], glade)
    wood = step(0.95, 0.2, h / 560 + 0.5 * fbm(x / 300, z / 300, 4))
    rock = mix(np.array([0.50, 0.42, 0.42]), green, wood)
    rock = mix(rock, [0.9, 0.86, 0.86], 0.7 * step(560, 850, h + 260 * fbm(x / 200, z / 200, 4)))
    rock *= (1 + 0.5 * fbm(x / 90, z / 90, 5))[..., None]
    rock *= light[..., None] * SUN * 1.1 + [0.28, 0.36, 0.56]
    mist = 0.7 * np.exp(-h / 70) * step(900, 2500, z)
    fog = np.exp(-mist - z / 7000 * np.exp(-np.maximum(h, 0) / 1500))
    rock = mix(mix(HAZE * 0.9, [1.25, 0.86, 0.52], np.exp(-cols / 330))[None], rock, fog)
    screen = np.maximum.accumulate(np.where(h > 0, (h - eye) * focal / z, -999), axis=0)
    y = np.arange(0, H, 1 / 3) + 1 / 6  # three samples a pixel
    layer = np.zeros((len(y), W, 4))
    for c in cols:
        hit = np.minimum(np.searchsorted(screen[:, c], HORIZON - y), rows - 1)
        near = z[hit, 0] < eye * focal / np.maximum(y - HORIZON, 1e-3)
        layer[:, c, 3] = (screen[hit, c] >= HORIZON - y) & near
        layer[:, c, :3] = rock[hit, c] * layer[:, c, 3:]
    layer = layer.reshape(H, 3, W, 4).mean(1)
    picture[:] = picture * (1 - layer[..., 3:]) + layer[..., :3]
    return layer[..., 3]


def lake(picture, land):
    """Mirror the picture in the water below the horizon, broken by ripples."""
    y, x = np.mgrid[HORIZON:H, 0:W].astype(np.float32)
    far, total = 1 / (y - HORIZON + 3), 0
    wave = fbm((x - W / 2) * far * 9, 900 * far, 4, 0.6) + 0.6 * fbm(x / 30 + 5, y / 2.6, 3)
    calm = step(-0.2, 0.3, fbm(x / 400 + 2, 160 * far, 3))
    for k in range(6):
        my = 2 * HORIZON - y - 3 - (k + wave * 14 * calm - 2) * (0.6 + (y - HORIZON) / 60)
        mx = np.clip(x + wave * 5 * calm, 0, W - 1).astype(int)
        total = total + picture[np.clip(my, 0, HORIZON - 1).astype(int), mx] / 6
    water = mix(total * [0.88, 0.86, 0.9], [0.10, 0.16, 0.24], 0.1 + 0.4 * step(0, 200, 1 / far))
    water += (step(0.2, 0.8, wave) * np.exp(-x / 420) * 0.4)[..., None] * SUN
    water *= (1 + 0.22 * wave * (0.4 + calm))[..., None]
    picture[HORIZON:] = mix(water, picture[HORIZON:], land[HORIZON:])


def meadow(picture):
    """Return the picture with strokes of grass, flowers and trees over the near bank."""
    rng = np.random.default_rng(21)

    def bank(x):
        edge = 520 + 16 * fbm(x / 260, x * 0 + 3.3, 5)
        return edge - 40 * step(380, W, x) - 26 * step(260, 0, x)

    def stroke(shape, points, rgb, **style):
        ink = tuple(int(v) for v in np.clip(rgb, 0, 1) * 255)
        getattr(draw, shape)([2 * q for q in points], ink, **style)

    def dab(x, y, r, rgb):
        stroke("ellipse", (x - r, y - 0.75 * r, x + r, y + 0.75 * r), rgb)

    def tree(x, y, angle, length, level):
        ex, ey = x + np.cos(angle) * length, y - np.sin(angle) * length
        stroke("line", (x, y, ex, ey), (0.16, 0.11, 0.10), width=int(length * level / 15) + 2)
        for turn in rng.normal((-0.5, 0.05, 0.5), 0.25) if level else ():
            tree(ex, ey, angle + turn, length * rng.uniform(0.6, 0.85), level - 1)
        for dx, dy in rng.normal(0, (8, 6), (48, 2)) if level < 3 else ():
            light = np.clip(0.42 - dx / 26 - dy / 20 + rng.normal(0, 0.12), 0.18, 1.1)
            rgb = np.array([0.13, 0.16, 0.07]) + np.array([0.40, 0.27, 0.05]) * light
            dab(ex + dx, ey + dy, rng.uniform(0.6, 1.4), rgb * (0.45 + 0.7 * light))

    y, x = np.mgrid[0:H, 0:W].astype(np.float32)
    picture = mix(picture, [0.12, 0.12, 0.06], step(-1.5, 1.5, y - bank(x))).clip(0, 1) * 255
    canvas = Image.fromarray(picture.astype(np.uint8)).resize((2 * W, 2 * H), 0)
    draw = ImageDraw.Draw(canvas)
    for tx, length in ((795, 34), (884, 60), (60, 48), (132, 24)):
        tree(tx, bank(np.array([tx]))[0] + 14, 1.6, length, 4)
    near = np.sort(rng.uniform(0, 1, 26000) ** 0.8)
    xs = rng.uniform(-10, W + 10, near.size)
    ys = bank(xs) + near * (H + 24 - bank(xs))
    tone, patch = fbm(xs / 60, ys / 22, 4), fbm(xs / 150 + 9, ys / 40, 3)
    grass = mix(np.array([0.20, 0.25, 0.08]), [0.74, 0.50, 0.17], np.clip(0.45 + 1.6 * patch, 0, 1))
    gain = 0.72 + 0.9 * tone + rng.normal(0, 0.14, near.size) + 0.4 * np.exp(-xs / 300) - near / 4
    grass *= gain.clip(0.3)[:, None]
    for x, y, n, rgb, p in zip(xs, ys, near, grass, patch + tone, strict=True):
        blade = (4 + 15 * n) * rng.uniform(0.5, 1.3)
        tip = x + rng.normal(0.12, 0.3) * blade, y - blade
        stroke("line", (x, y, *tip), rgb, width=int(2 + 2 * n))
        if rng.uniform() < 0.05 * step(0, 0.4, p):
            hue = ((0.95, 0.90, 0.80), (0.80, 0.48, 0.72), (0.98, 0.74, 0.26))[rng.integers(3)]
            dab(*tip, 0.8 + 1.8 * n, np.array(hue) * rng.uniform(0.7, 1))
    return np.asarray(canvas.resize((W, H), Image.Resampling.BOX)) / 255


def sky():
    """Return the evening sky: a glow on the left and combed high cirrus."""
    y, x = np.mgrid[0:H, 0:W].astype(np.float32)
    v, warp = np.clip(y / HORIZON, 0, 1), fbm(x / 260, y / 150, 3)
    out = mix(np.array([0.13, 0.25, 0.46], np.float32), [0.44, 0.54, 0.70], step(0, 0.58, v))
    out = mix(out, [1.0, 0.74, 0.56], step(0.30, 0.9, v) * 0.95)
    out = mix(out, [1.3, 0.88, 0.50], np.exp(-(((x + 40) / 460) ** 2) - ((v - 0.85) / 0.45) ** 2))
    wisp = fbm(x / 260 + y / 190 + 0.5 * warp, y / 60 - x / 300 + 0.8 * warp, 8, 0.6)
    veil = step(-0.2, 0.75, wisp + 0.35 * fbm(x / 330 + 7, y / 150, 3)) * (1 - 0.5 * v)
    return mix(out, [1.05, 0.82, 0.70], veil * 0.8)


if __name__ == "__main__":
    art = sky()
    clouds(art, [(570, 270, 250, 190), (170, 240, 130, 80), (915, 270, 120, 120)], 300, 62, 11)
    lake(art, terrain(art))
    art = meadow(1 - np.exp(-art * (0.9 + art)))
    art += np.random.default_rng(1).normal(0, 0.008, (H, W, 1))
    out = Image.fromarray((art.clip(0, 1) * 255 + 0.5).astype(np.uint8))
    out.save(Path(__file__).with_name("seed.jpg"), quality=90)
