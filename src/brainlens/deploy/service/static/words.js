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
    reader: "Your name or initials, for the log", samples: "Or try a drawn head", cancel: "Cancel",
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
    studies: "Study", "study.why": "A study is answered by the mean of its 3 most suspicious slices: to sort by, not calibrated.", "study.from": "The mean of slices {places}.", "study.refused": "{n} of {of} slices not judged.", "strip.any": "tumour {p}", "set.study": "Judged with the slices beside it in mind: the {p} % hold for pictures that stand alone, and are not proven here.", "study.none": "no slice could be judged",
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
    "model.input": "Input", "model.index": "Learned from", "model.parity": "True to its run", "model.parity.why": "logits differ by at most {d} over {n} images", "model.made": "Made", "model.all": "Everything the file says of itself", "model.reliability": "Reliability", "model.confidence": "Confidence", "model.accuracy": "Accuracy", "model.images": "Images", "model.server": "Server",
    "model.card": "Model card", "model.card.en": "Model card", "model.reliability.why": "On the validation images that set the temperature: an optimistic picture.",
    "record.box": "The figures below are of the judged model, which never saw these patients. The model that answers goes on from it with them added, so it has no figures of its own but those from elsewhere.",
    "record.missing": "Nothing is known here of how well this model does. Measure it with brainlens evaluate, and start the server with --evaluation EVAL.",
    "record.judged": "{n} images in {g} groups ({split}, split {protocol}), measured {when}. Intervals of 95 %, over groups of patients and twins.",
    "record.figures": "Results", "record.figure": "Figure", "record.value": "Value (95 %)", "record.classes": "By class", "record.parts": "By part of the data", "record.part": "Part",
    "record.confusion": "Confusion", "record.confusion.why": "Rows: what it is; columns: what the model says.",
    "record.certificate": "Leakage certificate", "record.none": "None of the {of} judged images was seen in training.", "record.leaks": "{n} of the {of} judged images were seen in training: the figures above are too good.", "record.unknown": "The search for leaks was not complete.",
    "record.copies": "Exact copies", "record.twins": "Twins", "record.group": "Same patient or twin group", "record.clean": "Accuracy on the unseen", "record.leaked": "Accuracy on the seen", "record.compared": "Compared", "record.method": "Method", "record.thresholds": "Thresholds", "record.index.judged": "Judged index", "record.index.learned": "Learned index", "record.index": "{n} images in {g} groups, SHA-256 {digest}",
    "record.reliability": "Reliability on unseen patients", "record.reliability.why": "How often an answer of so much confidence was right, over {n} images. On the diagonal, confidence is what it says.", "record.table": "As a table",
    "record.elsewhere": "Another hospital", "record.elsewhere.why": "Contrast T1 slices of two glioblastoma patients, {a} with tumour and {b} without; never trained or chosen on. Two patients are few: the interval, over slices, is too narrow.",
    "record.strangers": "Refused", "record.strangers.why": "Share of pictures that are no slices of a brain and get no answer.", "record.heat.why": "Over {n} tumours with a reader's outline: how often the brightest point lies inside, and how much of the heat.", "record.middle": "A spot in the middle",
    "record.splits": "What leakage does to such figures", "record.splits.why": "A plain network of the same kind on the same pictures; only the way they were split differs.", "record.split": "Split", "record.seen": "Seen in training",
    "record.split.grouped": "Grouped: patients and twins on one side", "record.split.official": "The set's own test folder", "record.split.random": "Random", "record.model.judged": "Judged", "record.model.shipped": "Shipped",
    "figure.accuracy": "Accuracy", "figure.balanced_accuracy": "Balanced accuracy", "figure.macro_f1": "Macro F1", "figure.macro_auroc": "Macro AUROC", "figure.ece": "Calibration error (ECE)", "figure.sensitivity": "Sensitivity", "figure.specificity": "Specificity", "figure.precision": "Precision", "figure.f1": "F1", "figure.auroc": "AUROC", "figure.source": "Source", "figure.fold": "Fold",
    "figure.sensitivity at 0.5": "Sensitivity at 0.5", "figure.specificity at 0.5": "Specificity at 0.5", "figure.specificity at sensitivity 0.9": "Specificity at sensitivity 0.9", "figure.pointing game": "Brightest point inside", "figure.energy in outline": "Heat inside", "figure.photos": "Photos", "figure.paintings": "Paintings", "figure.Set5 and Set14": "Set5 and Set14", "figure.text": "Text", "figure.noise": "Noise",
    "style.missing": "Nothing paints on this server yet: no trained generator came with this installation, and none was given.", "style.give": "To give one: train it on a folder of photos and one of paintings, then start the server with it.", "style.by": "Painted by {name}.", "style.short": "Painted, not a scan", "e.empty": "There is no file in that.", "n.empty": "Choose files, or a folder with files in it.",
    "enhance.missing": "ESRGAN is not on this server. To have it: make its file, then start the server with it.", "samples.why": "Drawn by a program, not scanned, and picked so that the model in the box finds their lesions (it misses many other drawn ones): they show how the app works, and nothing about patients.",
    "history.title": "Readings of this server", "history.search": "Search name, reader or answer", "history.go": "Search", "history.feedback": "Feedback as CSV", "history.none": "No readings yet. Classify something first.", "history.nothing": "Nothing found. Try fewer letters.", "history.older": "Older readings", "history.audit": "Entries of the audit log: {n}; its head begins with {digest}. To check it: brainlens audit-log verify", slices: "Slices", name: "Name", loading: "Loading …",
    "token.title": "This server asks for its token", "token.label": "Token", "token.go": "Continue", close: "Close",
    "e.offline": "The server does not answer.", "n.offline": "Check that it runs, then try again.",
    "e.busy": "The server has as much to do as it takes at once.", "n.busy": "Try again in a few seconds.",
    "e.too-large": "That is more than the server takes at once.", "n.too-large": "Send fewer or smaller files.",
    "e.unknown-format": "No image or scan that can be read.", "n.unknown-format": "Give JPEG, PNG, TIFF, WebP, BMP, GIF, DICOM, NIfTI or a zip.",
    "e.broken-file": "The file is broken.", "n.broken-file": "Export it again.",
    "e.token": "The token is missing or wrong.", "n.token": "Reload the page and give the right one.",
    "e.not-built": "This server has no such part.", "n.not-built": "See docs/serve.md.",
    "e.too-long": "It took too long.", "n.too-long": "Send fewer slices at once.",
    "e.bad-request": "The server did not understand the request.", "n.bad-request": "Reload the page and try again.",
    "e.cross-origin": "A page of another site asks.", "n.cross-origin": "Open the server's own page.",
    "e.host": "The server is not called that.", "n.host": "Use its own name, or start it with --name THIS-NAME.",
    "e.not-found": "There is no such thing on this server.", "n.not-found": "Look in the history.",
    "e.not-kept": "The upload is not remembered any more.", "n.not-kept": "Upload the scan again.",
    "e.method": "That cannot be done there.", "n.method": "Reload the page and try again.",
    "e.slow-upload": "The upload took too long.", "n.slow-upload": "Send fewer files, or over a faster line.",
    "e.content-type": "The files came in a way that is not read.", "n.content-type": "Reload the page and try again.",
    "e.invalid": "A setting does not fit.", "n.invalid": "Change it and try again.",
    "e.fault": "A fault of the server.", "n.fault": "It is in the server's log; nothing acknowledged is lost.",
    "e.not-ready": "The server is not ready yet.", "n.not-ready": "Try again in a moment.",
    "e.full": "The server has no room left on its disk.", "n.full": "Nothing was kept of this. Have room made there, then send it again.",
    format: "Format", modality: "Modality", plane: "Plane", thickness: "Thickness (mm)", instance: "Instance",
    "label.glioma": "Glioma", "label.meningioma": "Meningioma", "label.pituitary": "Pituitary tumour", "label.none": "No tumour", "label.no": "No tumour", "label.yes": "Tumour", "label.tumour": "Tumour",
    "flag.blank": "blank", "flag.dark": "too dark", "flag.blurred": "blurred", "flag.tiny": "too small", "flag.odd-size": "odd size", "flag.text": "letters or marks", "flag.border": "bright border", "flag.inverted": "inverted", "flag.not-a-slice": "not a slice of a head",
    "why.head": "This does not look like a slice of a head.", "why.blank": "The picture shows next to nothing.", "why.dark": "The picture is nearly black.", "why.strange": "The picture is unlike every picture the model learned from.", "why.times": "The picture is unlike every picture the model learned from ({n} times the limit).",
  },
  "zh-Hant": {
    skip: "跳到內容", sections: "頁面", language: "語言", theme: "外觀",
    "theme.auto": "自動", "theme.light": "淺色", "theme.dark": "深色",
    "tab.classify": "分類", "tab.enhance": "放大", "tab.style": "風格", "tab.model": "模型", "tab.history": "紀錄",
    use: "僅供研究，非醫療器材。此為模型的機率，不是診斷。",
    "drop.title": "將影像拖放到這裡",
    "drop.kinds": "影像、DICOM 檔案或資料夾、NIfTI 體積，或其 zip 壓縮檔。資料不會離開這台伺服器。",
    "choose.files": "選擇檔案", "choose.folder": "選擇資料夾",
    reader: "您的姓名或縮寫（寫入稽核紀錄）", samples: "或試用繪製的頭部", cancel: "取消",
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
    studies: "檢查", "study.why": "檢查的答案為其最可疑的 3 張切片的平均：供排序用，未經校準。", "study.from": "切片 {places} 的平均。", "study.refused": "{of} 張切片中有 {n} 張不予判讀。", "strip.any": "腫瘤 {p}", "set.study": "判讀時參考相鄰切片：{p} % 適用於單獨的影像，在此並未證實。", "study.none": "沒有可判讀的切片",
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
    "model.input": "輸入", "model.index": "訓練資料", "model.parity": "與訓練結果一致", "model.parity.why": "{n} 張影像的 logit 最多相差 {d}", "model.made": "製作", "model.all": "檔案的全部說明", "model.reliability": "可靠度", "model.confidence": "信心", "model.accuracy": "準確率", "model.images": "影像數", "model.server": "伺服器",
    "model.card": "模型卡", "model.card.en": "模型卡（英文）", "model.reliability.why": "以決定溫度的驗證影像計算，結果偏樂觀。",
    "record.box": "以下數字屬於受評模型，它從未見過這些病人。作答的模型由它加入這些影像繼續訓練而成，因此除外部資料外沒有自己的數字。",
    "record.missing": "此處不知道這個模型的表現。請以 brainlens evaluate 測量，並以 --evaluation EVAL 啟動伺服器。",
    "record.judged": "{g} 組共 {n} 張影像（{split}，分割方式 {protocol}），測量於 {when}。95 % 區間，以病人與雙胞影像分組計算。",
    "record.figures": "結果", "record.figure": "指標", "record.value": "數值（95 %）", "record.classes": "依類別", "record.parts": "依資料部分", "record.part": "部分",
    "record.confusion": "混淆矩陣", "record.confusion.why": "列：實際類別；欄：模型的回答。",
    "record.certificate": "洩漏證明", "record.none": "受評的 {of} 張影像無一在訓練中出現過。", "record.leaks": "受評的 {of} 張影像中有 {n} 張在訓練中出現過：以上數字偏高。", "record.unknown": "洩漏搜尋並不完整。",
    "record.copies": "完全相同", "record.twins": "雙胞影像", "record.group": "同一病人或雙胞群", "record.clean": "未見影像的準確率", "record.leaked": "已見影像的準確率", "record.compared": "比對", "record.method": "方法", "record.thresholds": "門檻", "record.index.judged": "受評索引", "record.index.learned": "訓練索引", "record.index": "{g} 組共 {n} 張，SHA-256 {digest}",
    "record.reliability": "未見病人的可靠度", "record.reliability.why": "{n} 張影像中，各信心程度的回答有多常正確。落在對角線上即名實相符。", "record.table": "以表格顯示",
    "record.elsewhere": "另一家醫院", "record.elsewhere.why": "兩位膠質母細胞瘤病人的顯影 T1 切片，{a} 張有腫瘤，{b} 張無；從未用於訓練或選擇。僅兩位病人，以切片計算的區間過窄。",
    "record.strangers": "拒答", "record.strangers.why": "非腦部切片且不予作答的影像比例。", "record.heat.why": "{n} 個有判讀者輪廓的腫瘤：最亮點落在輪廓內的比例，以及熱度落在其中的比例。", "record.middle": "畫面中央一點",
    "record.splits": "洩漏對數字的影響", "record.splits.why": "同類的一般網路、相同的影像，只有分割方式不同。", "record.split": "分割", "record.seen": "訓練時見過",
    "record.split.grouped": "分組：病人與雙胞在同一側", "record.split.official": "資料集自帶的測試資料夾", "record.split.random": "隨機", "record.model.judged": "受評模型", "record.model.shipped": "內附模型",
    "figure.accuracy": "準確率", "figure.balanced_accuracy": "平衡準確率", "figure.macro_f1": "巨觀 F1", "figure.macro_auroc": "巨觀 AUROC", "figure.ece": "校準誤差（ECE）", "figure.sensitivity": "敏感度", "figure.specificity": "特異度", "figure.precision": "精確率", "figure.f1": "F1", "figure.auroc": "AUROC", "figure.source": "來源", "figure.fold": "摺",
    "figure.sensitivity at 0.5": "門檻 0.5 的敏感度", "figure.specificity at 0.5": "門檻 0.5 的特異度", "figure.specificity at sensitivity 0.9": "敏感度 0.9 時的特異度", "figure.pointing game": "最亮點在內", "figure.energy in outline": "熱度在內", "figure.photos": "相片", "figure.paintings": "畫作", "figure.Set5 and Set14": "Set5 與 Set14", "figure.text": "文字", "figure.noise": "雜訊",
    "style.missing": "這台伺服器目前無法繪製：安裝中沒有訓練好的生成器，啟動時也未提供。", "style.give": "提供方法：以一個相片資料夾與一個畫作資料夾訓練，再以它啟動伺服器。", "style.by": "繪製者：{name}。", "style.short": "畫作，並非掃描", "e.empty": "其中沒有檔案。", "n.empty": "請選擇檔案，或含有檔案的資料夾。",
    "enhance.missing": "這台伺服器沒有 ESRGAN。若要使用：先製作其檔案，再以它啟動伺服器。", "samples.why": "由程式繪製，並非掃描，並挑選內附模型找得到病灶者（其他繪製的病灶許多找不到）：僅用來展示操作，不代表任何病人。",
    "history.title": "這台伺服器的判讀", "history.search": "搜尋名稱、判讀者或答案", "history.go": "搜尋", "history.feedback": "意見 CSV", "history.none": "尚無判讀。請先分類影像。", "history.nothing": "找不到。請減少字數再試。", "history.older": "較早的判讀", "history.audit": "稽核紀錄：{n} 筆，鏈首開頭為 {digest}。驗證指令：brainlens audit-log verify", slices: "切片", name: "名稱", loading: "載入中……",
    "token.title": "這台伺服器需要權杖", "token.label": "權杖", "token.go": "繼續", close: "關閉",
    "e.offline": "伺服器沒有回應。", "n.offline": "請確認伺服器正在執行，然後再試。",
    "e.busy": "伺服器目前忙碌。", "n.busy": "請幾秒後再試。",
    "e.too-large": "超過伺服器一次可接受的量。", "n.too-large": "請減少檔案數量或大小。",
    "e.unknown-format": "不是可讀取的影像或掃描。", "n.unknown-format": "請提供 JPEG、PNG、TIFF、WebP、BMP、GIF、DICOM、NIfTI 或 zip。",
    "e.broken-file": "檔案已損壞。", "n.broken-file": "請重新匯出。",
    "e.token": "權杖遺漏或錯誤。", "n.token": "請重新載入頁面並輸入正確的權杖。",
    "e.not-built": "這台伺服器沒有此功能。", "n.not-built": "請見 docs/serve.md。",
    "e.too-long": "處理時間過長。", "n.too-long": "請減少一次傳送的切片。",
    "e.bad-request": "伺服器無法理解此要求。", "n.bad-request": "請重新載入頁面再試。",
    "e.cross-origin": "要求來自其他網站的頁面。", "n.cross-origin": "請開啟伺服器自己的頁面。",
    "e.host": "伺服器的名稱並非如此。", "n.host": "請使用其本名，或以 --name 名稱 啟動。",
    "e.not-found": "這台伺服器沒有這個項目。", "n.not-found": "請查看紀錄。",
    "e.not-kept": "上傳的檔案已不再保留。", "n.not-kept": "請重新上傳。",
    "e.method": "此處無法這樣做。", "n.method": "請重新載入頁面再試。",
    "e.slow-upload": "上傳時間過長。", "n.slow-upload": "請減少檔案，或使用較快的連線。",
    "e.content-type": "檔案的傳送方式無法讀取。", "n.content-type": "請重新載入頁面再試。",
    "e.invalid": "某項設定不合。", "n.invalid": "請更改後再試。",
    "e.fault": "伺服器發生錯誤。", "n.fault": "已記入伺服器日誌；已確認的判讀不會遺失。",
    "e.not-ready": "伺服器尚未就緒。", "n.not-ready": "請稍後再試。",
    "e.full": "伺服器的磁碟已滿。", "n.full": "這次的資料未被保留。請先清出空間，再重新傳送。",
    format: "格式", modality: "造影方式", plane: "平面", thickness: "厚度（mm）", instance: "序號",
    "label.glioma": "神經膠質瘤", "label.meningioma": "腦膜瘤", "label.pituitary": "腦下垂體瘤", "label.none": "無腫瘤", "label.no": "無腫瘤", "label.yes": "腫瘤", "label.tumour": "腫瘤",
    "flag.blank": "空白", "flag.dark": "過暗", "flag.blurred": "模糊", "flag.tiny": "過小", "flag.odd-size": "尺寸異常", "flag.text": "文字或標記", "flag.border": "明亮邊框", "flag.inverted": "反相", "flag.not-a-slice": "不像頭部切片",
    "why.head": "這看起來不像頭部切片。", "why.blank": "影像幾乎是空白的。", "why.dark": "影像幾乎全黑。", "why.strange": "影像與模型學過的所有影像都不相似。", "why.times": "影像與模型學過的所有影像都不相似（為界限的 {n} 倍）。",
  },
};

// What deploy/classifier.py answers with; anything else is shown as it comes.
const REASONS = [[/slice of a head/, "why.head"], [/next to nothing/, "why.blank"], [/nearly black/, "why.dark"], [/unlike every picture.*\(/, "why.times"], [/unlike every picture/, "why.strange"]];

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
