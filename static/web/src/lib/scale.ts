/** A scale bar as surveyors round it: 1, 2 or 5 times a power of ten. */
export function scaleBar(lat: number, zoom: number, max = 96): { metres: number; pixels: number; label: string } {
  const perPixel = (40075016.686 * Math.cos((lat * Math.PI) / 180)) / (512 * 2 ** zoom)
  const longest = perPixel * max
  const power = 10 ** Math.floor(Math.log10(longest))
  const lead = longest / power
  const metres = power * (lead >= 5 ? 5 : lead >= 2 ? 2 : 1)
  return { metres, pixels: metres / perPixel, label: metres >= 1000 ? `${metres / 1000} km` : `${metres} m` }
}
