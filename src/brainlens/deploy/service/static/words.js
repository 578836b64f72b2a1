// Owns the page's words, in English and Traditional Chinese. A test holds that both have every key.

export const WORDS = {
  en: {
    skip: "Skip to the content", sections: "Sections", language: "Language", theme: "Appearance",
    "theme.auto": "Automatic", "theme.light": "Light", "theme.dark": "Dark",
    "tab.classify": "Classify", "tab.enhance": "Enhance", "tab.style": "Style", "tab.model": "Model", "tab.history": "History",
    use: "Research use, not a medical device. Probabilities of a model, not a diagnosis.",
    "drop.title": "Drop scans here",
    "drop.kinds": "Images, DICOM files or folders, NIfTI volumes, or a zip of these. Nothing leaves this server.",
    "choose.files": "Choose files", "choose.folder": "Choose a folder",
    reader: "Your name or initials, for the log", samples: "Or try a synthetic sample", cancel: "Cancel",
    sending: "Sending {n} files …", judging: "Judged {done} of {of} slices", ready: "{n} slices read.", again: "New reading",
    "save.json": "JSON", "save.csv": "CSV", "save.report": "Report to print", "save.sr": "DICOM SR", downloads: "Download",
    screen: "Picture. Arrow keys: other slices. Plus and minus: zoom. 0: as it was. H: heat map.",
    "no.picture": "The picture is not kept on this server. Upload the scan again to see it.",
    level: "Brightness (level)", width: "Contrast (width)", zoom: "Zoom", heat: "Heat map",
    "tool.window": "Drag: window", "tool.pan": "Drag: move", reset: "As it was",
    previous: "Previous", next: "Next", strip: "Slices", "sort.suspicion": "Most suspicious first", "sort.place": "In order", of: "{n} of {of}",
    answer: "Answer", probability: "probability", refused: "Not judged", "refused.then": "The figures below mean nothing for this picture. Check the file, or choose another slice.",
    set: "Set at {p} %", "set.why": "Over many pictures like those the model was calibrated on, the set holds the true class {p} % of the time.",
    "set.empty": "Empty: the model has seen nothing like it.", flags: "Quality flags", "flags.none": "No quality flags.",
    similar: "Most similar known cases", case: "Case", label: "Label", distance: "Distance", novelty: "Novelty", "heat.why": "Where the model sees evidence of a tumour. Not an outline of one.",
    studies: "Studies", "study.why": "Mean over the most suspicious slices of each study: to sort by, not calibrated.", "study.none": "no slice could be judged",
    details: "File and model", file: "File", size: "Size", digest: "SHA-256", model: "Model", entry: "Audit log entry", when: "When", who: "Reader",
    unreadable: "Files that could not be read",
    "say.title": "What do you say?", "say.slice": "This slice", "say.reading": "The whole reading", "say.agree": "I agree", "say.other": "Another label", "say.note": "Only a note", note: "Note", "say.save": "Save", "say.saved": "Saved as entry {n} of the audit log.",
    keys: "Keys: ← → slices, + − zoom, 0 as it was, H heat map.",
    "enhance.title": "Enlarge a picture", mark: "Not for diagnosis: a generator draws what such pictures usually show.", "mark.short": "Not for diagnosis",
    "enhance.file": "Picture or scan (of a scan, the middle slice)", "enhance.method": "Method", "enhance.scale": "Times larger",
    "enhance.reference": "Sharp original to compare with (optional)", "enhance.check": "Test it: make the picture small first, then compare with the original",
    "enhance.go": "Enlarge", "enhance.working": "Enlarging … a network takes up to a minute or two.", "enhance.done": "{w} × {h} pixels by {method}.", psnr: "PSNR {a} dB (bicubic {b} dB), SSIM {c}",
    before: "Before and after", "save.png": "Save as PNG",
    "style.title": "In Van Gogh's manner", "style.mark": "A painting of a picture, for pleasure: not a scan any more.", "style.file": "Picture", "style.strength": "Strength", "style.go": "Paint", "style.working": "Painting …",
    "model.title": "The model that answers", "model.file": "File", "model.labels": "Classes", "model.use": "Use", "model.coverage": "Coverage of the sets", "model.temperature": "Temperature", "model.calibration": "Calibration", "model.calibrated": "{n} validation images; log loss {a} before, {b} after the temperature",
    "model.input": "Input", "model.index": "Learned from", "model.parity": "True to its run", "model.made": "Made", "model.all": "Everything the file says of itself", "model.reliability": "Reliability", "model.confidence": "Confidence", "model.accuracy": "Accuracy", "model.images": "Images", "model.server": "Server",
    "history.title": "Readings of this server", "history.search": "Search name, reader or answer", "history.go": "Search", "history.feedback": "Feedback as CSV", "history.none": "No readings yet. Classify something first.", "history.nothing": "Nothing found. Try fewer letters.", "history.older": "Older readings", "history.open": "Open", "history.audit": "Audit log: {n} entries, head {digest}. Check it with: brainlens audit-log verify", slices: "Slices", name: "Name", loading: "Loading …",
    "token.title": "This server asks for its token", "token.label": "Token", "token.go": "Continue", close: "Close",
    "e.offline": "The server does not answer.", "n.offline": "Check that it runs, then try again.",
    "e.busy": "The server has as much to do as it takes at once.", "n.busy": "Try again in a few seconds.",
    "e.too-large": "That is more than the server takes at once.", "n.too-large": "Send fewer or smaller files.",
    "e.unknown-format": "No image or scan that can be read.", "n.unknown-format": "Give JPEG, PNG, TIFF, WebP, BMP, GIF, DICOM, NIfTI or a zip.",
    "e.broken-file": "The file is broken.", "n.broken-file": "Export it again.",
    "e.token": "The token is missing or wrong.", "n.token": "Reload the page and give the right one.",
    "e.not-built": "This server has no such part.", "n.not-built": "See docs/serve.md.",
    "e.too-long": "It took too long.", "n.too-long": "Send fewer slices at once.",
    "label.glioma": "Glioma", "label.meningioma": "Meningioma", "label.pituitary": "Pituitary tumour", "label.none": "No tumour", "label.no": "No tumour", "label.yes": "Tumour", "label.tumour": "Tumour",
    "flag.blank": "blank", "flag.dark": "too dark", "flag.blurred": "blurred", "flag.tiny": "too small", "flag.odd-size": "odd size", "flag.text": "letters or marks", "flag.border": "bright border", "flag.inverted": "inverted", "flag.not-a-slice": "not a slice of a head",
    "why.head": "This does not look like a slice of a head.", "why.blank": "The picture shows next to nothing.", "why.dark": "The picture is nearly black.", "why.strange": "The picture is unlike every picture the model learned from ({n} times the limit).",
  },
  "zh-Hant": {
    skip: "跳到內容", sections: "頁面", language: "語言", theme: "外觀",
    "theme.auto": "自動", "theme.light": "淺色", "theme.dark": "深色",
    "tab.classify": "分類", "tab.enhance": "放大", "tab.style": "風格", "tab.model": "模型", "tab.history": "紀錄",
    use: "僅供研究，非醫療器材。此為模型的機率，不是診斷。",
    "drop.title": "將影像拖放到這裡",
    "drop.kinds": "影像、DICOM 檔案或資料夾、NIfTI 體積，或其 zip 壓縮檔。資料不會離開這台伺服器。",
    "choose.files": "選擇檔案", "choose.folder": "選擇資料夾",
    reader: "您的姓名或縮寫（寫入稽核紀錄）", samples: "或試用合成樣本", cancel: "取消",
    sending: "正在傳送 {n} 個檔案……", judging: "已判讀 {done}／{of} 張切片", ready: "已判讀 {n} 張切片。", again: "新的判讀",
    "save.json": "JSON", "save.csv": "CSV", "save.report": "可列印的報告", "save.sr": "DICOM SR", downloads: "下載",
    screen: "影像。方向鍵：換切片。加減鍵：縮放。0：還原。H：熱圖。",
    "no.picture": "伺服器未保留此影像。請重新上傳以檢視。",
    level: "亮度（窗位）", width: "對比（窗寬）", zoom: "縮放", heat: "熱圖",
    "tool.window": "拖曳：調窗", "tool.pan": "拖曳：移動", reset: "還原",
    previous: "上一張", next: "下一張", strip: "切片", "sort.suspicion": "最可疑者在前", "sort.place": "依順序", of: "第 {n}／{of} 張",
    answer: "答案", probability: "機率", refused: "不予判讀", "refused.then": "以下數字對這張影像沒有意義。請檢查檔案，或選擇其他切片。",
    set: "{p} % 預測集合", "set.why": "對於與校準影像相似的許多影像，集合有 {p} % 的機會包含真正的類別。",
    "set.empty": "空集合：模型從未見過類似的影像。", flags: "品質標記", "flags.none": "沒有品質標記。",
    similar: "最相似的已知病例", case: "病例", label: "標籤", distance: "距離", novelty: "新奇度", "heat.why": "模型看見腫瘤證據之處，並非腫瘤的輪廓。",
    studies: "檢查", "study.why": "各檢查中最可疑切片的平均：供排序用，未經校準。", "study.none": "沒有可判讀的切片",
    details: "檔案與模型", file: "檔案", size: "大小", digest: "SHA-256", model: "模型", entry: "稽核紀錄編號", when: "時間", who: "判讀者",
    unreadable: "無法讀取的檔案",
    "say.title": "您的意見？", "say.slice": "這張切片", "say.reading": "整份判讀", "say.agree": "同意", "say.other": "其他標籤", "say.note": "僅備註", note: "備註", "say.save": "儲存", "say.saved": "已存為稽核紀錄第 {n} 筆。",
    keys: "按鍵：← → 切片，+ − 縮放，0 還原，H 熱圖。",
    "enhance.title": "放大影像", mark: "不可用於診斷：生成器畫出的是這類影像通常的樣子。", "mark.short": "不可用於診斷",
    "enhance.file": "影像或掃描（掃描取中間切片）", "enhance.method": "方法", "enhance.scale": "放大倍數",
    "enhance.reference": "用於比較的清晰原圖（可省略）", "enhance.check": "測試：先縮小影像，再與原圖比較",
    "enhance.go": "放大", "enhance.working": "放大中……神經網路需要一兩分鐘。", "enhance.done": "{w} × {h} 像素，方法：{method}。", psnr: "PSNR {a} dB（雙三次 {b} dB），SSIM {c}",
    before: "前後對照", "save.png": "儲存為 PNG",
    "style.title": "梵谷風格", "style.mark": "供觀賞的畫作，已不再是掃描影像。", "style.file": "影像", "style.strength": "強度", "style.go": "繪製", "style.working": "繪製中……",
    "model.title": "作答的模型", "model.file": "檔案", "model.labels": "類別", "model.use": "用途", "model.coverage": "集合的涵蓋率", "model.temperature": "溫度", "model.calibration": "校準", "model.calibrated": "{n} 張驗證影像；對數損失：校準前 {a}，校準後 {b}",
    "model.input": "輸入", "model.index": "訓練資料", "model.parity": "與訓練結果一致", "model.made": "製作", "model.all": "檔案的全部說明", "model.reliability": "可靠度", "model.confidence": "信心", "model.accuracy": "準確率", "model.images": "影像數", "model.server": "伺服器",
    "history.title": "這台伺服器的判讀", "history.search": "搜尋名稱、判讀者或答案", "history.go": "搜尋", "history.feedback": "意見 CSV", "history.none": "尚無判讀。請先分類影像。", "history.nothing": "找不到。請減少字數再試。", "history.older": "較早的判讀", "history.open": "開啟", "history.audit": "稽核紀錄：{n} 筆，鏈首 {digest}。驗證指令：brainlens audit-log verify", slices: "切片", name: "名稱", loading: "載入中……",
    "token.title": "這台伺服器需要權杖", "token.label": "權杖", "token.go": "繼續", close: "關閉",
    "e.offline": "伺服器沒有回應。", "n.offline": "請確認伺服器正在執行，然後再試。",
    "e.busy": "伺服器目前忙碌。", "n.busy": "請幾秒後再試。",
    "e.too-large": "超過伺服器一次可接受的量。", "n.too-large": "請減少檔案數量或大小。",
    "e.unknown-format": "不是可讀取的影像或掃描。", "n.unknown-format": "請提供 JPEG、PNG、TIFF、WebP、BMP、GIF、DICOM、NIfTI 或 zip。",
    "e.broken-file": "檔案已損壞。", "n.broken-file": "請重新匯出。",
    "e.token": "權杖遺漏或錯誤。", "n.token": "請重新載入頁面並輸入正確的權杖。",
    "e.not-built": "這台伺服器沒有此功能。", "n.not-built": "請見 docs/serve.md。",
    "e.too-long": "處理時間過長。", "n.too-long": "請減少一次傳送的切片。",
    "label.glioma": "神經膠質瘤", "label.meningioma": "腦膜瘤", "label.pituitary": "腦下垂體瘤", "label.none": "無腫瘤", "label.no": "無腫瘤", "label.yes": "腫瘤", "label.tumour": "腫瘤",
    "flag.blank": "空白", "flag.dark": "過暗", "flag.blurred": "模糊", "flag.tiny": "過小", "flag.odd-size": "尺寸異常", "flag.text": "文字或標記", "flag.border": "明亮邊框", "flag.inverted": "反相", "flag.not-a-slice": "不像頭部切片",
    "why.head": "這看起來不像頭部切片。", "why.blank": "影像幾乎是空白的。", "why.dark": "影像幾乎全黑。", "why.strange": "影像與模型學過的所有影像都不相似（為界限的 {n} 倍）。",
  },
};

// What deploy/classifier.py answers with; anything else is shown as it comes.
const REASONS = [[/slice of a head/, "why.head"], [/next to nothing/, "why.blank"], [/nearly black/, "why.dark"], [/unlike every picture/, "why.strange"]];

let language = "en";
export const current = () => language;
export const setLanguage = (name) => { language = WORDS[name] ? name : "en"; };

/** Words for a key, with {names} filled in. */
export function t(key, given = {}) {
  const text = WORDS[language][key] ?? WORDS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => given[name] ?? "");
}

const known = (key) => (WORDS.en[key] ? t(key) : null);
export const labelWords = (label) => known(`label.${label}`) ?? label;
export const reasonWords = (reasons) => reasons.split("; ").map((reason) => {
  const found = REASONS.find(([words]) => words.test(reason));
  return found ? t(found[1], { n: /[\d.]+/.exec(reason)?.[0] }) : reason;
}).join(" ");
export function flagWords(flag) {
  const [name, value] = flag.split("=");
  return (known(`flag.${name}`) ?? name) + (value ? ` (${value})` : "");
}

/** What a refusal says: in the page's language where its code has a translation. */
export function errorWords(error) {
  const [what, next] = [known(`e.${error.code}`), known(`n.${error.code}`)];
  const translated = what && (language !== "en" || !error.message);
  const said = error.message || error.code || String(error);
  return [translated && error.message ? `${what} (${said})` : what && !error.message ? what : said, next ?? error.next ?? ""];
}

/** Put the page's fixed words in place. */
export function translate(root = document) {
  document.documentElement.lang = language;
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", t(node.dataset.tLabel));
}
