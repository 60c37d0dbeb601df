/** What the chat says for itself under an answer, in the customer's language (`answer.language`). */

const PHRASES = {
  en: {
    notFound: "Not in our documents",
    handedOver: "Over to a person",
    handOver: "Talk to a person",
    rephrase: "Rephrase",
    wish: "I would like to talk to a person.",
  },
  zh: {
    notFound: "我们的文档中没有",
    handedOver: "转接人工服务",
    handOver: "转人工服务",
    rephrase: "换个说法",
    wish: "我想转人工服务。",
  },
  es: {
    notFound: "No está en nuestros documentos",
    handedOver: "Le atiende una persona",
    handOver: "Hablar con una persona",
    rephrase: "Reformular",
    wish: "Quiero hablar con una persona.",
  },
  fr: {
    notFound: "Absent de nos documents",
    handedOver: "Une personne prend le relais",
    handOver: "Parler à une personne",
    rephrase: "Reformuler",
    wish: "Je voudrais parler à une personne.",
  },
  de: {
    notFound: "Nicht in unseren Dokumenten",
    handedOver: "Weiter an einen Menschen",
    handOver: "Mit einem Menschen sprechen",
    rephrase: "Anders fragen",
    wish: "Ich möchte mit einem Menschen sprechen.",
  },
  ar: {
    notFound: "غير موجود في مستنداتنا",
    handedOver: "تحويل إلى موظف",
    handOver: "التحدث مع موظف",
    rephrase: "إعادة صياغة السؤال",
    wish: "أريد التحدث مع موظف.",
  },
  ja: {
    notFound: "当社の文書にありません",
    handedOver: "担当者におつなぎします",
    handOver: "担当者と話す",
    rephrase: "言い換える",
    wish: "担当者と話したいです。",
  },
};

export function phrasesIn(language) {
  return PHRASES[language] ?? PHRASES.en;
}

/** Attributes of an element that holds our own words in that language. */
export function languageAttributes(language) {
  return { lang: language, dir: language === "ar" ? "rtl" : "ltr" };
}
