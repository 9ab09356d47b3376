// What the reader has chosen stands in the address: "this number" can be sent to somebody.
//   ?filter=ndr&measured=yes&show=paper,interval&sort=table_05:Average.PSNR:descending
//    &hide=table_05:SSIM&cell=table_05__noise_rain_haze__ndr_restore__rain100l#table_05
const address = {
  get(key) { return new URLSearchParams(location.search).get(key) ?? ""; },

  /** Lists are parted by commas. */
  list(key) { return this.get(key).split(",").filter(Boolean); },

  set(key, value) {
    const chosen = new URLSearchParams(location.search);
    if (value) chosen.set(key, value); else chosen.delete(key);
    // Commas and colons may stand in an address as they are, and are read more easily.
    const text = chosen.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
    try {
      history.replaceState(history.state, "", `${location.pathname}${text && "?"}${text}${location.hash}`);
    } catch { /* a frame without an address of its own: the choice holds all the same */ }
  },
};
