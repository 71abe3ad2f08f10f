// Command sheetfont reduces a font to the characters a map sheet may need. It is run by
// scripts/font.sh.
package main

import (
	"log"
	"os"

	"onemap/internal/report/font"
)

// ranges are what a Chinese map sheet may hold: Latin with the vowels of Pinyin, Greek,
// Cyrillic, punctuation, signs, arrows, enclosed numbers, geometric shapes, kana,
// Bopomofo, units, all Chinese characters of GBK and full-width forms.
var ranges = [][2]rune{
	{0x20, 0x7e}, {0xa0, 0x17f}, {0x1cd, 0x1dc}, {0x251, 0x261}, {0x2c6, 0x2dd}, {0x370, 0x3ff}, {0x400, 0x451},
	{0x2000, 0x206f}, {0x2070, 0x209f}, {0x20a0, 0x20bf}, {0x2100, 0x218f}, {0x2190, 0x21ff}, {0x2200, 0x22ff},
	{0x2300, 0x2312}, {0x2460, 0x24ff}, {0x2500, 0x25ff}, {0x2600, 0x2642}, {0x2713, 0x2718}, {0x3000, 0x312f},
	{0x3200, 0x33ff}, {0x4e00, 0x9fff}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f}, {0xff00, 0xffef},
}

// blanks are characters the source has a place but no drawing for, made of others.
var blanks = []font.Composite{
	one('Ⅴ', 'V'), one('Ⅹ', 'X'), one('\u212b', 'Å'), one('∼', '~'), one('‾', '¯'), one('ˊ', '´'), one('ˋ', '`'),
	{Char: '℃', Parts: []font.Part{{Char: '°'}, {Char: 'C'}}}, {Char: '℉', Parts: []font.Part{{Char: '°'}, {Char: 'F'}}},
	over('ǎ', 'a', 'ˇ', 0), over('ǐ', 'ı', 'ˇ', 0), over('ǒ', 'o', 'ˇ', 0), over('ǔ', 'u', 'ˇ', 0),
	over('ǘ', 'ü', '´', 330), over('ǚ', 'ü', 'ˇ', 330), over('ǜ', 'ü', '`', 330),
}

func one(r, of rune) font.Composite { return font.Composite{Char: r, Parts: []font.Part{{Char: of}}} }

func over(r, base, mark rune, lift int) font.Composite {
	return font.Composite{Char: r, Parts: []font.Part{{Char: base}, {Char: mark, Above: true, Lift: lift}}}
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: sheetfont IN.ttc OUT.ttf") //nolint:forbidigo // a tool of scripts/font.sh, no part of the program
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal("sheetfont: ", err) //nolint:forbidigo // as above
	}
}

func run(in, out string) error {
	b, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	f, err := font.Parse(b)
	if err != nil {
		return err
	}
	small, err := f.Compose(blanks).Reduce(func(r rune) bool {
		for _, w := range ranges {
			if r >= w[0] && r <= w[1] {
				return true
			}
		}
		return false
	})
	if err != nil {
		return err
	}
	return os.WriteFile(out, small, 0o644)
}
