package demo

import "strings"

// All names are put together from common syllables; none is taken from a map.

func pinyinTable() map[rune]string {
	m := map[rune]string{}
	for f := range strings.FieldsSeq("示shi例li青qing沅yuan石shi柳liu白bai马ma竹zhu枫feng双shuang大da上shang下xia东dong西xi南nan北bei长chang" +
		" 杨yang陈chen李li王wang周zhou刘liu张zhang何he罗luo高gao彭peng唐tang邓deng吴wu徐xu孙sun胡hu朱zhu林lin谢xie宋song韩han曹cao许xu丁ding魏wei田tian" +
		" 龙long凤feng虎hu金jin银yin铁tie水shui泉quan桃tao梨li梅mei松song柏bai槐huai桂gui栗li茶cha莲lian荷he药yao古gu新xin老lao黄huang红hong黑hei乌wu" +
		" 沙sha土tu砖zhuan瓦wa井jing塘tang堰yan坝ba桥qiao渡du湾wan河he溪xi沟gou冲chong岭ling坪ping垭ya寨zhai岩yan坡po坳ao坎kan庄zhuang集ji店dian营ying畈fan" +
		" 垸yuan台tai岗gang铺pu场chang屋wu楼lou园yuan门men口kou头tou嘴zui洲zhou滩tan峪yu峰feng山shan家jia树shu木mu云yun雾wu天tian星xing月yue日ri清qing平ping安an" +
		" 阳yang花hua里li路lu文wen昌chang滨bin迎ying宾bin光guang明ming学xue府fu街jie道dao城cheng环huan朝chao园yuan柏bai小xiao老lao方fang郎lang心xin梁liang岛dao板ban叶ye杏xing岳yue合he炉lu鸡ji子zi屏ping永yong兴xing和he福fu太tai万wan三san四si五wu六liu七qi八ba九jiu十shi二er一yi中zhong") {
		r := []rune(f)
		for i := 0; i < len(r); {
			j := i + 1
			for j < len(r) && r[j] < 128 {
				j++
			}
			m[r[i]] = string(r[i+1 : j])
			i = j
		}
	}
	return m
}

// romanize spells a name as one capitalised word.
func romanize(table map[rune]string, s string) string {
	var b strings.Builder
	for i, r := range []rune(s) {
		p := table[r]
		if p == "" {
			p = string(r)
		} else if i > 0 && strings.ContainsRune("aeo", rune(p[0])) {
			p = "'" + p
		}
		b.WriteString(p)
	}
	w := b.String()
	return strings.ToUpper(w[:1]) + w[1:]
}

var (
	namePrefix = strings.Split("青石 柳林 白沙 白马 竹林 枫树 双河 大堰 上坪 长冲 杨家 陈家 李家 周家 何家 罗家 高家 彭家 唐家 邓家 吴家 徐家 孙家 胡家 朱家 谢家 宋家 韩家 曹家 许家 丁家 魏家 田家 "+
		"龙泉 金星 石门 铁炉 清水 桃园 梨树 梅子 松林 古槐 桂花 板栗 茶园 莲花 荷叶 老屋 新屋 黄土 红土 黑石 乌木 砖瓦 古井 西塘 东堰 沙河 石桥 南湾 北岗 大山 云雾 天台 星月 清平 永安 永兴 太平 福兴 万家 三家 五里 七里 八里 九龙 十里 中和 东岳 西河 南坡 北门 大树 小南 老马 银杏 水月 双龙 月亮 高峰 长岭 凤台 虎头 药园 平安 新河 和平 金鸡 乌龙 黄家 刘家 王家 张家 大塘 石龙 林家 红岩 白岩 松柏 三门 四方 六合 二郎 一心", " ")
	plainSuffix = strings.Split("庄 集 店 营 畈 堰 湾 桥 渡 岗 铺 场 楼 园 塘 台 洲", " ")
	hillSuffix  = strings.Split("湾 冲 坡 岗 坝 铺 堰 塘 口 嘴 河 桥 园 屋", " ")
	wildSuffix  = strings.Split("沟 坪 垭 岭 寨 岩 坡 坳 溪 口 山 峪 冲 坎", " ")
	hamletTail  = strings.Split("湾 屋 园 塘 坡 沟 嘴 头 口 坎 坪 庄 场 井 桥 树", " ")
)

// namer gives names that are not used twice where it matters.
type namer struct {
	r    rng
	used map[string]bool
}

func (n *namer) place(wild float64, tails ...[]string) string {
	list := hillSuffix
	if wild < 0.12 {
		list = plainSuffix
	} else if wild > 0.5 {
		list = wildSuffix
	}
	if len(tails) > 0 {
		list = tails[0]
	}
	for try := 0; ; try++ {
		p, s := pick(n.r, namePrefix), pick(n.r, list)
		if strings.HasSuffix(p, s) {
			continue
		}
		name := p + s
		if try > 40 {
			name = pick(n.r, []string{"上", "下", "东", "西", "南", "北", "新", "老"}) + name
		}
		if !n.used[name] {
			n.used[name] = true
			return name
		}
	}
}

// river names: the trunk, its large tributaries, then brooks.
func (n *namer) river(order int, area float64, wild float64) string {
	big := strings.Split("石门河 白马河 清溪河 柳林河 双龙河 金沙溪 竹园河 古渡河 凤台河 长冲河 松林河 云溪河", " ")
	if area > 5e7 {
		for _, b := range big {
			if !n.used[b] {
				n.used[b] = true
				return b
			}
		}
	}
	tails := []string{"河", "溪", "港"}
	if wild > 0.3 {
		tails = []string{"沟", "溪", "涧", "冲"}
	}
	for {
		name := pick(n.r, namePrefix) + pick(n.r, tails)
		if !n.used[name] {
			n.used[name] = true
			return name
		}
	}
}

var (
	surnames = strings.Split("王 李 张 刘 陈 杨 赵 黄 周 吴 徐 孙 胡 朱 高 林 何 郭 马 罗 梁 宋 郑 谢 韩 唐 冯 于 董 萧 程 曹 袁 邓 许 傅 沈 曾 彭 吕", " ")
	given1   = strings.Split("建 志 国 文 海 明 德 永 春 秀 玉 家 晓 立 世 新 兴 光 学 成", " ")
	given2   = strings.Split("华 平 军 强 林 山 清 生 安 芳 英 兰 勇 斌 涛 梅 峰 波 云 良 贵 才 根 香 霞", " ")
)

// person invents a name. Two or three characters of the most common kind name
// thousands of people and nobody.
func person(r rng) string {
	s := pick(r, surnames)
	if r.chance(0.2) {
		return s + pick(r, given2)
	}
	return s + pick(r, given1) + pick(r, given2)
}

func streetNames(r rng) func(bool) string {
	a := strings.Split("人民 建设 文昌 青沅 滨河 迎宾 振兴 和平 东风 光明 育才 工农 新华 团结 民主 凤台 沿江 环城 学府 康宁 兴业 桂园 站前 南湖 清泉 永安 富民 锦绣 长青 望岳 云溪 翠竹 朝阳 金桥 平安 玉带 明德 崇文 春晖", " ")
	n := 0
	return func(long bool) string {
		s := a[n%len(a)]
		n++
		if long {
			return s + "路"
		}
		return s + "街"
	}
}

var (
	companyHead = strings.Split("沅丰 瑞禾 恒青 兴沅 鼎源 正泽 华岭 金穗 宏远 青屏 益农 德沃 天沅 永固 众合 汇川 禾润 泰和 嘉禾 凌峰 启航 丰泽 长沅 万青 佳沅 盛岭 新禾 安沅 聚源 同沅", " ")
)

func (n *namer) company(kind string) string {
	for try := 0; ; try++ {
		h := pick(n.r, companyHead)
		if try > 30 {
			h += pick(n.r, []string{"新", "一", "联", "东", "南"})
		}
		name := "示例县" + h + kind
		if !n.used[name] {
			n.used[name] = true
			return name
		}
	}
}
